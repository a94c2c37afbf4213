"""What detectors decide: the report of both classes, kinds of defect named, boxes; beside scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, classification_report

from data_pipeline.record import Sample
from jaxdefect.detector import Scores
from jaxdefect.metrics import decisions
from launch.command import configuration as configs
from launch.page.surfaces import read_kinds
from launch.run.kinds_and_boxes import kind_confusion, true_boxes
from launch.run.prediction import detect_image
from launch.run.predictions import PackedMasks, Scored
from launch.run.trained import Run


@pytest.mark.parametrize("seed", range(4))
def test_the_report_of_decisions_is_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    defective, flagged = rng.random(88) < 0.6, rng.random(88) < 0.5
    report = decisions.decision_report(defective, flagged)
    expected = classification_report(defective, flagged, target_names=["good", "defective"], output_dict=True)
    names = {"good": "good", "defective": "defective", "macro": "macro avg", "weighted": "weighted avg"}
    for ours, theirs in names.items():
        for key, theirs_key in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score"), ("support",) * 2):
            assert report[ours][key] == pytest.approx(expected[theirs][theirs_key])


def test_the_studys_own_confusion_gives_its_figure_7():
    """TN 26, FP 7, FN 17, TP 38."""
    defective = np.repeat([False, True], [33, 55])
    flagged = np.concatenate([np.repeat([False, True], [26, 7]), np.repeat([False, True], [17, 38])])
    report = decisions.decision_report(defective, flagged)
    rounded = {name: [round(row[key], 2) for key in ("precision", "recall", "f1")] for name, row in report.items()}
    assert rounded["good"] == [0.60, 0.79, 0.68] and rounded["defective"] == [0.84, 0.69, 0.76]
    assert rounded["macro"] == [0.72, 0.74, 0.72] and rounded["weighted"] == [0.75, 0.73, 0.73]


def test_averages_of_what_is_undefined_are_undefined():
    report = decisions.decision_report(np.array([True, True]), np.array([True, False]))
    assert report["good"]["recall"] is None and report["macro"]["recall"] is None
    assert report["defective"]["recall"] == 0.5 and report["macro"]["support"] == 2


def test_kinds_are_judged_by_the_likeliest():
    rng = np.random.default_rng(0)
    true, kinds = rng.integers(0, 4, 60), rng.dirichlet(np.ones(4), 60)
    figures = decisions.kind_figures(true, kinds)
    assert figures["accuracy"] == pytest.approx(accuracy_score(true, kinds.argmax(1)))
    assert figures["mean_recall"] == pytest.approx(balanced_accuracy_score(true, kinds.argmax(1)))
    defective = true > 0
    assert figures["named"] == pytest.approx(accuracy_score(true[defective], kinds.argmax(1)[defective]))


def scored(kinds, names):
    records = [Sample(None, None, int(name != "good"), name, "", str(i)) for i, name in enumerate(names)]
    return Scored(records, [0.0] * len(names), None, PackedMasks(), PackedMasks(), False, 1.0, kinds=np.array(kinds))


def run_with(**settings):
    config = configs.get("renet_d", "tiny")
    with config.unlocked():
        config.settings.update(settings)
    return Run(config, None, None, {})


def test_the_confusion_of_kinds_has_good_first_and_is_drawn():
    found = kind_confusion(
        run_with(kinds=("dent", "spot")), scored(np.eye(3)[[0, 1, 1, 2]], ["good", "dent", "spot", "spot"])
    )
    assert found["names"] == ["good", "dent", "spot"]
    assert found["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 1, 1]] and found["figures"]["accuracy"] == 0.75
    matrix = read_kinds({"kinds": found})
    assert [row["name"] for row in matrix["rows"]] == found["names"]
    assert [column["name"] for column in matrix["columns"]] == found["names"]
    assert read_kinds({}) is None and read_kinds({"kinds": {"names": ["a"], "confusion": "none"}}) is None


def test_a_kind_that_was_not_trained_is_named():
    with pytest.raises(ValueError, match=r"kind 'crack' of a test image is not among settings.kinds = \['dent'\]"):
        kind_confusion(run_with(kinds=("dent",)), scored(np.eye(2)[[0, 1]], ["good", "crack"]))


def test_boxes_are_told_in_pixels_of_the_original():
    boxes = np.array([[[2, 3, 10, 12, 0.9], [0, 0, 0, 0, 0]]], np.float32)
    detector = type("Fake", (), {"score": staticmethod(lambda state, images: Scores(images[:, 0, 0, 0], boxes=boxes))})
    run = run_with()._replace(detector=detector, state={})
    image = np.zeros((16, 20, 1), np.uint8)
    found = detect_image(run, image, (32, 60), tiles=None, level=None, min_area=0)
    np.testing.assert_allclose(found.boxes, [[4, 9, 20, 36, 0.9]])


def test_true_boxes_are_those_of_pieces_that_training_would_join():
    mask = np.zeros((64, 64), np.uint8)
    mask[4:8, 4:8] = mask[4:8, 12:20] = mask[40:50, 30:33] = 1
    data = type("Data", (), {"seen": type("Seen", (), {"test": type("Test", (), {"records": [
        type("Record", (), {"height": 32, "width": 32})]})})})  # fmt: skip
    apart, joined = (true_boxes(run_with(join=join), data, [mask])[0].tolist() for join in (1, 5))
    assert apart == [[4, 4, 8, 8], [4, 12, 8, 20], [40, 30, 50, 33]]
    assert joined == [[4, 4, 8, 20], [40, 30, 50, 33]]  # 5 pixels of 32 are 9 of 64.
    assert true_boxes(run_with(join=1), data, [mask * 0])[0].shape == (0, 4)
