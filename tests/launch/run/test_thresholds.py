"""Decisions at multiples of the spread."""

import numpy as np
import pytest

from launch.run import thresholds


def test_decisions_at_multiples_of_the_spread():
    fitted = thresholds.Fitted(None, None, "train", [1.0, 2.0, 3.0])
    rows = thresholds.pauta_table(fitted, (0.0, 1.0, 1.5), [1.0, 2.5, 2.9, 9.0], [0, 0, 1, 1])
    assert list(rows) == ["gamma0", "gamma1", "gamma1_5"]
    assert rows["gamma0"]["threshold"] == 2.0
    assert rows["gamma1"]["threshold"] == pytest.approx(2 + np.std([1, 2, 3]))
    assert rows["gamma0"] == rows["gamma0"] | {"accuracy": 0.75, "recall": 1.0, "precision": 2 / 3, "specificity": 0.5}
    assert rows["gamma1_5"] == rows["gamma1_5"] | {"recall": 0.5, "precision": 1.0, "specificity": 1.0}
    assert thresholds.pauta_table(fitted, (0.0,), [5.0], [1])["gamma0"]["specificity"] is None
