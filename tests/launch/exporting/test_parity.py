"""Differences are told, and what is beyond the tolerance is a fault."""

from types import SimpleNamespace

import numpy as np
import pytest

from launch.exporting import parity


def seen(score, level, anomaly_map):
    anomaly_map = np.asarray(anomaly_map, np.float32)
    return SimpleNamespace(score=score, map=anomaly_map, mask=anomaly_map > level)


def told(pairs, threshold=0.5, exported=0.5):
    comparison = parity.Comparison()
    for ours, theirs in pairs:
        comparison.add(ours, theirs)
    return comparison.as_json(threshold, exported), comparison


def test_equal_models_have_no_fault_and_small_differences_are_told():
    one, other = seen(0.2, 0.5, [[0, 1.0]]), seen(0.9, 0.5, [[0.25, 1.0]])
    row, comparison = told([(one, one), (other, other)])
    assert parity.faults(row, 1e-3) == [] and comparison.margin() == 0
    row, comparison = told([(one, one), (other, seen(0.9 + 1e-5, 0.5, [[0.25, 1.0 - 1e-4]]))])
    assert parity.faults(row, 1e-3) == [] and comparison.margin() == pytest.approx(2e-5)
    assert row["score"]["greatest"] == pytest.approx(1e-5) and row["score"]["mean"] == pytest.approx(5e-6)
    assert row["map"]["greatest"] == pytest.approx(1e-4, rel=1e-3) and row["map"]["range"] == 1
    assert row["score"]["correlation"] == pytest.approx(1) and row["flipped_decisions"] == row["flipped_pixels"] == 0


def test_every_kind_of_difference_is_a_fault():
    one = seen(0.2, 0.5, [[0, 1.0]])
    row, _ = told([(one, one), (seen(0.49, 0.5, [[0, 1]]), seen(0.51, 0.5, [[0.9, 1]]))])
    assert [fault.split(" ")[-2] for fault in parity.faults(row, 1e-3)] == ["of", "of", "decided", "decided"]
    assert row["flipped_decisions"] == 1 and row["flipped_pixels"] == 1 and row["pixels"] == 4
    row, _ = told([(one, one), (one, seen(np.nan, 0.5, [[0, np.nan]]))])
    assert len(parity.faults(row, 1e-3)) >= 2  # NaN is near nothing.


def test_a_single_image_may_differ_by_rounding():
    pair = (seen(0.9, 0.5, [[0.75]]), seen(0.9 + 1e-6, 0.5, [[0.75 + 1e-6]]))
    assert parity.faults(told([pair])[0], 1e-3) == []
    assert len(parity.faults(told([(pair[0], seen(0.9 + 1e-4, 0.5, [[0.75 + 1e-4]]))])[0], 1e-3)) == 2


def test_a_threshold_that_is_a_score_is_kept_by_the_margin():
    pairs = [
        (seen(0.3, 0.5, [[0.0]]), seen(0.3, 0.5, [[0.0]])),
        (seen(0.5, 0.5, [[0.0]]), seen(0.5 + 1e-9, 0.5, [[0.0]])),
    ]
    row, comparison = told(pairs)
    assert row["flipped_decisions"] == 1
    assert told(pairs, exported=0.5 + comparison.margin())[0]["flipped_decisions"] == 0
