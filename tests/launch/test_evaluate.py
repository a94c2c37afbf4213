"""Evaluation of a trained run with other thresholds."""

import numpy as np
import pytest

from launch import evaluate
from launch.command import configuration as configs
from tests.launch.small_runs import result_of


def test_evaluation_with_another_threshold_keeps_the_run(run, tmp_path):
    out = tmp_path / "strict"
    evaluate.main([str(run), "--out", str(out), "threshold.sigma=0.0", "report.keep_maps=true"])
    assert result_of(out)["thresholds"]["pixel"]["value"] < result_of(run)["thresholds"]["pixel"]["value"]
    assert result_of(out)["figures"]["pixel"]["auroc"] == result_of(run)["figures"]["pixel"]["auroc"]
    assert np.load(out / "maps" / "00000.npy", allow_pickle=False).shape == (64, 64)
    assert configs.read(out / "config.json").threshold.sigma == 0
    with pytest.raises(ValueError, match="train.steps cannot be changed after training"):
        evaluate.main([str(run), "train.steps=5"])


@pytest.mark.parametrize("rule", ["quantile", "false_alarm_rate", "otsu"])
def test_every_threshold_rule_reaches_a_report(run, tmp_path, rule):
    image = "pauta" if rule == "otsu" else rule
    page = evaluate.main(
        [str(run), "--out", str(tmp_path / rule), f"threshold.pixel_rule={rule}", f"threshold.image_rule={image}"]
    )
    assert page.is_file()
