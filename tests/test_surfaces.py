"""Surfaces told apart: figures of seen and unseen ones, attributes in words, what the system got right end to end."""

import numpy as np
import pytest

from jaxdefect.metrics import decisions as decision_metrics
from launch.run.surfaces import confusion_of, words
from launch.system.figures import decisions, figures, logit

NEVER = -np.inf


def test_an_alarm_on_a_seen_surface_is_an_error_and_on_an_unseen_one_a_hit():
    true, scores, surfaces = np.array([0, 0, 1, 1, 2, 2]), [0.1, 0.9, 0.1, 0.1, 0.9, 0.2], [0, 0, 1, 0, 1, 1]
    classes = np.array([[0.0, -1, NEVER]] * 6)
    routed = decision_metrics.routed(scores, surfaces, classes, 0.5, unseen=[2])
    assert routed.tolist() == [0, -1, 1, 0, -1, 1]
    figures = decision_metrics.surface_figures(true, routed, classes, unseen=[2])
    assert figures == {"seen": 0.5, "unseen": 0.5, "harmonic": 0.5, "zero_shot": None}
    assert confusion_of(true, routed, 3).tolist() == [[1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 0, 1]]


def test_seen_is_a_mean_over_surfaces_and_not_over_images():
    true = np.array([0] * 8 + [1] * 2)
    figures = decision_metrics.surface_figures(true, np.array([0] * 10), np.zeros((10, 2)), unseen=[])
    assert figures == {"seen": 0.5, "unseen": None, "harmonic": None, "zero_shot": None}


def test_a_method_that_names_unseen_surfaces_needs_no_threshold_and_has_a_zero_shot_figure():
    true = np.array([0, 1, 2, 2])
    classes = np.array([[3.0, 0, 1], [0, 1, 2], [5, 4, 1], [0, 0, 9]])
    routed = decision_metrics.routed([9.0] * 4, classes.argmax(1), classes, 0.5, unseen=[1, 2])
    assert routed.tolist() == [0, 2, 0, 2]
    figures = decision_metrics.surface_figures(true, routed, classes, unseen=[1, 2])
    assert (figures["seen"], figures["unseen"]) == (1.0, 0.25)  # of class 1 none, of class 2 half
    assert figures["harmonic"] == pytest.approx(2 * 0.25 / 1.25)
    assert figures["zero_shot"] == 0.25  # Class 1 is taken for 2, and one of two of class 2 for 1.


def test_words_are_the_clearest_attributes():
    names = ["dark", "round", "large", "smooth"]
    assert words(names, np.array([0.1, 0.9, 0.5, 0.44])) == ["round", "large"]
    assert words(names, np.array([0.1, 0.9, 0.8, 0.7]), at_most=2) == ["round", "large"]
    assert words(names, np.array([-0.1, 0.0, -0.3, -1.0])) == []


def event(kind, defective, score, threshold=0.5):
    unjudged = kind == "unseen"
    return {
        "event": kind, "defective": defective, "defect_score": None if unjudged else score,
        "defect_threshold": None if unjudged else threshold,
    }  # fmt: skip


def test_defects_are_counted_where_a_detector_saw_the_image():
    events = [
        event("defect", 1, 0.9), event("passed", 1, 0.3), event("defect", 0, 0.6), event("passed", 0, 0.1),
        event("unseen", 1, None), event("unseen", 0, None),
    ]  # fmt: skip
    found = decisions(events)
    assert (found["misses"], found["false_alarms"], found["precision"], found["recall"]) == (1, 1, 0.5, 0.5)
    assert found["ap"] == pytest.approx((1 + 2 / 3) / 2)
    assert decisions([event("unseen", 1, None)])["ap"] is None


def test_scores_of_different_detectors_are_compared_by_their_thresholds():
    # By themselves 0.4 of the second detector's would come behind 0.5 of the first one's.
    events = [event("defect", 1, 0.4, threshold=0.1), event("passed", 0, 0.5, threshold=0.9)]
    assert decisions(events)["ap"] == 1.0
    assert np.isfinite([logit(0.0), logit(1.0)]).all()


def test_the_product_is_that_of_alarm_routing_and_precision():
    seen = [event("defect", 1, 0.9), event("passed", 0, 0.1)]
    new, routed, true = np.array([False, False, True, True]), np.array([0, 1, -1, 0]), np.array([0, 0, 2, 2])
    found = figures(seen, new, routed, true)
    assert (found["alarm_on_unseen"], found["alarm_on_seen"], found["routing"]) == (0.5, 0.0, 0.5)
    assert found["product"] == 0.5 * 0.5 * 1.0
