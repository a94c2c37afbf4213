"""Figures of the two stages: what the system got right end to end."""

import numpy as np
import pytest

from launch.system.figures import decisions, figures, logit


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
