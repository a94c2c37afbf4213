"""Detectors of whole images through the commands: sizes, pairs, thresholds at gammas, what is told of a run."""

import json

import numpy as np
import pytest
from PIL import Image

from launch import detect, train
from launch.command import configuration as configs
from launch.run import feeds
from launch.run.data import open_data
from launch.run.evaluation import collapse

SMALL = [
    "--preset", "tiny", "data.options.size=64", "data.options.surfaces=(3,)", "data.options.train=6",
    "data.options.test_good=2", "data.options.test_defective=3", "train.steps=10", "train.save_every=10",
]  # fmt: skip


def result_of(workdir):
    return json.loads((workdir / "result.json").read_text())


def write(path, *shape, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(90, 160, shape, np.uint8)).save(path)


@pytest.fixture(scope="module")
def maa(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "maa"
    train.main(["--detector", "maa", *SMALL, "--workdir", str(workdir)])
    return workdir


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


def test_images_of_any_shape_are_brought_to_the_detectors_size(maa, tmp_path):
    write(tmp_path / "in" / "wide.png", 37, 91)
    write(tmp_path / "in" / "tiny.png", 9, 5)
    assert detect.main([str(maa), str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    with Image.open(tmp_path / "out" / "masks" / "wide.png.png") as mask:
        assert mask.size == (91, 37)


def test_one_training_image_is_both_halves(tmp_path):
    for number in range(2):  # One is held out for thresholds.
        write(tmp_path / "in" / "train" / "good" / f"{number}.png", 40, 40, seed=number)
    write(tmp_path / "in" / "test" / "good" / "0.png", 40, 40, seed=5)
    command = ["--detector", "maa", *SMALL[:2], "--dataset", "mvtec", "--data", str(tmp_path / "in"), "train.steps=5"]
    train.main([*command, "train.save_every=5", "--workdir", str(tmp_path / "run")])
    result = result_of(tmp_path / "run")
    assert result["dataset"]["counts"]["train"] == 1
    assert any("standard deviation of a single score is 0" in warning for warning in result["warnings"])


def test_a_streamed_pair_comes_from_the_two_halves(tmp_path):
    config = configs.get("maa", "tiny")
    configs.override(config, [*SMALL[2:7], "train.feed=stream"])
    data = open_data(config)
    source = feeds.make_feed(config, data)
    batch = source.make_batch({name: part[0] for name, part in source.inputs(3).items()}, None)
    whole = [sample.image / np.float32(255) for sample in data.seen.train]
    of = lambda image: next(i for i, candidate in enumerate(whole) if np.allclose(candidate, image, atol=1e-6))
    first, second = ({of(image) for image in np.asarray(part)} for part in (batch.image, batch.paired_image))
    assert first and second and not first & second
    resumed = feeds.make_feed(config, data).inputs(3)
    np.testing.assert_array_equal(source.inputs(3)["paired_image"], resumed["paired_image"])


def test_a_wrong_size_is_answered_with_the_remedy(tmp_path):
    for detector in ("maa", "ganomaly"):
        with pytest.raises(ValueError, match="settings.size = .*set both to the same"):
            train.main(["--detector", detector, *SMALL, "train.patch=8", "--workdir", str(tmp_path / detector)])
        with pytest.raises(ValueError, match="settings.size = 37"):
            train.main(
                ["--detector", detector, *SMALL, "settings.size=37", "--workdir", str(tmp_path / f"odd_{detector}")]
            )


def test_images_that_thresholds_are_fitted_on_are_named_right(maa, tmp_path):
    with pytest.raises(ValueError, match="threshold.fitted_on = 'trian' is not known; use calibration"):
        train.main(["--detector", "renet_d", *SMALL, "threshold.fitted_on=trian", "--workdir", str(tmp_path / "run")])


@pytest.mark.parametrize("spread, warned", [(0.01, True), (0.5, False), (None, False)])
def test_a_collapsed_generator_is_reported(spread, warned, tmp_path):
    rows = [{"step": 5, "loss": 1.0, "spread": 0.9}, {"step": 10, "loss": 0.5, "spread": spread}]
    rows = [{name: value for name, value in row.items() if spread is not None or name != "spread"} for row in rows]
    (tmp_path / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert bool(collapse(tmp_path)) == warned


def test_the_memory_of_scoring_is_told_where_asked(tmp_path):
    train.main(["--detector", "ganomaly", *SMALL, "report.memory=True", "--workdir", str(tmp_path / "run")])
    timings = result_of(tmp_path / "run")["timings"]
    assert timings["score_mb"] > 0.01 and timings["images_per_s"] == pytest.approx(1e3 / timings["score_ms_per_image"])
