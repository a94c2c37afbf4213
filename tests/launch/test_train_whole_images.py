"""Detectors of whole images through the command: sizes, pairs, thresholds at gammas, what is told of a run."""

import pytest

from launch import train
from tests import tiny
from tests.launch.small_runs import result_of, whole, write

pytestmark = pytest.mark.drill


def test_the_page_of_a_run_tells_what_is_its_own(maa):
    result, page = result_of(maa), (maa / "report.html").read_text()
    assert result["state"]["memory"]["shapes"] == [[4, 4, 32], [4, 4, 32]]
    assert "2 arrays of 4 × 4 × 32" in page
    assert len(result["fitted"]["scores"]) == result["dataset"]["counts"]["train"] and result["fitted"]["on"] == "train"
    assert "training" in result["thresholds"]["image"]["fitted_on"]
    gamma = result["figures"]["image"]["gamma3"]
    assert gamma["threshold"] == pytest.approx(result["thresholds"]["image"]["value"])  # Pauta with sigma = 3
    for name in ("accuracy", "recall", "precision"):
        assert gamma[name] == pytest.approx(result["figures"]["image"][name])
    assert "At the mean + γ standard deviations of" in page and 'data-view="reconstruction"' in page


def test_one_training_image_is_both_halves(tmp_path):
    for number in range(2):  # One is held out for thresholds.
        write(tmp_path / "in" / "train" / "good" / f"{number}.png", 40, 40, seed=number)
    write(tmp_path / "in" / "test" / "good" / "0.png", 40, 40, seed=5)
    words = ["--detector", "maa", *tiny.words("maa", synthetic=False), "--dataset", "mvtec"]
    train.main(
        [
            *words,
            "--data",
            str(tmp_path / "in"),
            "train.steps=5",
            "train.save_every=5",
            "--workdir",
            str(tmp_path / "run"),
        ]
    )
    result = result_of(tmp_path / "run")
    assert result["dataset"]["counts"]["train"] == 1
    assert any("standard deviation of a single score is 0" in warning for warning in result["warnings"])


def test_a_wrong_size_is_answered_with_the_remedy(tmp_path):
    for detector in ("maa", "ganomaly"):
        with pytest.raises(ValueError, match="settings.size = .*set both to the same"):
            train.main([*whole(detector), "train.patch=8", "--workdir", str(tmp_path / detector)])
        with pytest.raises(ValueError, match="settings.size = 37"):
            train.main([*whole(detector), "settings.size=37", "--workdir", str(tmp_path / f"odd_{detector}")])


def test_images_that_thresholds_are_fitted_on_are_named_right(maa, tmp_path):
    with pytest.raises(ValueError, match="threshold.fitted_on=trian is not known; did you mean 'train'"):
        train.main([*whole("renet_d"), "threshold.fitted_on=trian", "--workdir", str(tmp_path / "run")])


def test_the_memory_of_scoring_is_told_where_asked(tmp_path):
    train.main([*whole("ganomaly"), "report.memory=True", "--workdir", str(tmp_path / "run")])
    timings = result_of(tmp_path / "run")["timings"]
    assert timings["score_mb"] > 0.01 and timings["images_per_s"] == pytest.approx(1e3 / timings["score_ms_per_image"])
