"""Kinds of defects told apart, and true boxes."""

import numpy as np
import pytest
from launch.run.kinds_and_boxes import kind_confusion, true_boxes

from data_pipeline.record import Sample
from launch.page.surfaces import read_kinds
from launch.run.predictions import PackedMasks, Scored
from tests.launch.run.bare_runs import run_with


def scored(kinds, names):
    records = [Sample(None, None, int(name != "good"), name, "", str(i)) for i, name in enumerate(names)]
    return Scored(records, [0.0] * len(names), None, PackedMasks(), PackedMasks(), False, 1.0, kinds=np.array(kinds))


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


def test_true_boxes_are_those_of_pieces_that_training_would_join():
    mask = np.zeros((64, 64), np.uint8)
    mask[4:8, 4:8] = mask[4:8, 12:20] = mask[40:50, 30:33] = 1
    data = type("Data", (), {"seen": type("Seen", (), {"test": type("Test", (), {"records": [
        type("Record", (), {"height": 32, "width": 32})]})})})  # fmt: skip
    apart, joined = (true_boxes(run_with(join=join), data, [mask])[0].tolist() for join in (1, 5))
    assert apart == [[4, 4, 8, 8], [4, 12, 8, 20], [40, 30, 50, 33]]
    assert joined == [[4, 4, 8, 20], [40, 30, 50, 33]]  # 5 pixels of 32 are 9 of 64.
    assert true_boxes(run_with(join=1), data, [mask * 0])[0].shape == (0, 4)
