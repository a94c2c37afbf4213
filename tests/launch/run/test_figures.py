"""Figures from predictions and thresholds: kinds of defects told apart, true boxes, and what is left out."""

from types import SimpleNamespace

import numpy as np
import pytest

from data_pipeline.record import Sample
from jaxdefect.metrics.threshold import Threshold
from launch.page.surfaces import read_kinds
from launch.run.figures import figures_of, kind_confusion, true_boxes
from launch.run.predictions import PackedMasks, Predictions
from launch.run.thresholds import Fitted
from tests.tiny import config as tiny_config


def predicted(kinds, names):
    records = [Sample(None, None, int(name != "good"), name, "", str(i)) for i, name in enumerate(names)]
    return Predictions(
        records, [0.0] * len(names), None, [None] * len(names), PackedMasks(), False, 1.0, kinds=np.array(kinds)
    )


def test_the_confusion_of_kinds_has_good_first_and_is_drawn():
    found = kind_confusion(("dent", "spot"), predicted(np.eye(3)[[0, 1, 1, 2]], ["good", "dent", "spot", "spot"]))
    assert found["names"] == ["good", "dent", "spot"]
    assert found["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 1, 1]] and found["figures"]["accuracy"] == 0.75
    matrix = read_kinds({"kinds": found})
    assert [row["name"] for row in matrix["rows"]] == found["names"]
    assert [column["name"] for column in matrix["columns"]] == found["names"]
    assert read_kinds({}) is None and read_kinds({"kinds": {"names": ["a"], "confusion": "none"}}) is None


def test_where_no_kinds_are_told_apart_there_is_no_confusion():
    assert kind_confusion((), predicted(np.eye(2)[[0, 1]], ["good", "crack"])) == {}


def test_a_kind_that_was_not_trained_is_named():
    with pytest.raises(ValueError, match=r"kind 'crack' of a test image is not among those trained on, dent; train"):
        kind_confusion(("dent",), predicted(np.eye(2)[[0, 1]], ["good", "crack"]))


def test_true_boxes_are_those_of_pieces_that_training_would_join():
    mask = np.zeros((64, 64), np.uint8)
    mask[4:8, 4:8] = mask[4:8, 12:20] = mask[40:50, 30:33] = 1
    test = SimpleNamespace(records=[SimpleNamespace(height=32, width=32)])
    data = SimpleNamespace(converted=SimpleNamespace(test=test))
    apart, joined = (true_boxes(join, data, [mask])[0].tolist() for join in (1, 5))
    assert apart == [[4, 4, 8, 8], [4, 12, 8, 20], [40, 30, 50, 33]]
    assert joined == [[4, 4, 8, 20], [40, 30, 50, 33]]  # 5 pixels of 32 are 9 of 64.
    assert true_boxes(1, data, [mask * 0])[0].shape == (0, 4)


def summary(has_mask, *, with_maps=True):
    """Figures of a good and two defective images of 8 x 8 pixels, of which some have masks."""
    truth = np.zeros((8, 8), np.uint8)
    truth[2:5, 2:5] = 1
    outlined = [False, *has_mask]
    labels, good, bad = [0, 1, 1], np.full((8, 8), 0.1, np.float32), (0.2 + 0.7 * truth).astype(np.float32)
    records = [
        SimpleNamespace(id=str(i), surface="", kind=("good", "dent")[label], label=label, has_mask=outlined[i])
        for i, label in enumerate(labels)
    ]
    masks = PackedMasks(truth * outlined[i] for i in range(3)) if with_maps else PackedMasks()
    predictions = Predictions(
        records, [0.1, 0.9, 0.8], [good, bad, bad] if with_maps else None, [None] * 3, masks, all(has_mask), 1.0
    )
    fitted = Fitted(Threshold(0.5, "r", "f"), Threshold(0.5, "r", "f"), "calibration", [0.1, 0.2])
    return figures_of(tiny_config("renet_d"), {"kinds": ()}, None, predictions, fitted)


def test_with_all_masks_pixels_are_judged():
    found = summary((True, True))
    assert found.figures["pixel"]["f1"] == found.figures["pixel"]["auroc"] == 1
    assert found.figures["pixel"]["defective_share"] == 18 / 192
    assert [row["defect_pixels"] for row in found.rows] == [0, 9, 9]


@pytest.mark.parametrize("has_mask, with_maps", [((False, False), True), ((True, False), True), ((True, True), False)])
def test_without_masks_images_alone_are_judged(has_mask, with_maps):
    found = summary(has_mask, with_maps=with_maps)
    assert found.figures["image"]["auroc"] == 1 and [row["predicted"] for row in found.rows] == [0, 1, 1]
    assert found.figures["pixel"]["auroc"] is None and found.figures["pixel"]["f1"] is None
    assert not any(found.curves["pixel"].values()) and "defect_pixels" not in found.rows[1]
