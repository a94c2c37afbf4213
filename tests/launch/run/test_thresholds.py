"""Decisions at multiples of the spread."""

from types import SimpleNamespace

import numpy as np
import pytest

from launch.run import thresholds
from tests.tiny import config as tiny_config


def test_decisions_at_multiples_of_the_spread():
    fitted = thresholds.Fitted(None, None, "train", [1.0, 2.0, 3.0])
    rows = thresholds.pauta_table(fitted, (0.0, 1.0, 1.5), [1.0, 2.5, 2.9, 9.0], [0, 0, 1, 1])
    assert list(rows) == ["gamma0", "gamma1", "gamma1_5"]
    assert rows["gamma0"]["threshold"] == 2.0
    assert rows["gamma1"]["threshold"] == pytest.approx(2 + np.std([1, 2, 3]))
    assert rows["gamma0"] == rows["gamma0"] | {"accuracy": 0.75, "recall": 1.0, "precision": 2 / 3, "specificity": 0.5}
    assert rows["gamma1_5"] == rows["gamma1_5"] | {"recall": 0.5, "precision": 1.0, "specificity": 1.0}
    assert thresholds.pauta_table(fitted, (0.0,), [5.0], [1])["gamma0"]["specificity"] is None


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"image_rule": "f1"}, "image_rule = 'f1' needs defective images held out.*train_defective_fraction=0.5"),
        ({"pixel_rule": "f1"}, "threshold.pixel_rule=pauta"),
        ({"image_rule": "f1", "pixel_rule": "simulated"}, "one needs real defects, the other painted flaws"),
        ({"fitted_on": "test"}, "use calibration"),
    ],
)
def test_rules_that_lack_what_they_ask_for_are_refused_before_training(fields, said):
    config = tiny_config("renet_d")
    data = SimpleNamespace(converted=SimpleNamespace(defective=(), calibration_defective=()))
    thresholds.check(config, data)
    config.threshold.update(fields)
    with pytest.raises(ValueError, match=said):
        thresholds.check(config, data)
