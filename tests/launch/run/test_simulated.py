"""Flaws painted on held-out normal images: what they change, what is judged by them, thresholds fitted on them."""

import json

import jax
import numpy as np
import pytest

from launch import train
from launch.run import simulated, thresholds
from launch.run.data import convert, open_data
from launch.run.trained import make_detector
from tests import tiny
from tests.launch.small_runs import result_of

OPTIONS = {"surfaces": (4,), "size": 64, "train": 10, "test_good": 2, "test_defective": 2}


@pytest.fixture(scope="module")
def data():
    return open_data(config())


def config(detector="nsa"):
    small = tiny.config(detector)
    small.data.options.update(OPTIONS)
    return small


def test_flaws_are_painted_on_each_normal_image_and_marked(data):
    normal = data.converted.calibration
    split = simulated.painted(config(), normal, normal, least=5)
    assert len(split) >= 5 and len(split) % len(normal) == 0
    assert len({record.id for record in split.records}) == len(split)
    for place, sample in enumerate(split):
        clean = normal[place % len(normal)].image
        assert sample.label == 1 and sample.mask.any()
        np.testing.assert_array_equal((sample.image != clean).any(-1), sample.mask)
        np.testing.assert_array_equal(sample.image, split[place].image)


def test_a_flaw_is_the_same_however_large_the_detector_sees_it(data):
    half = config()
    half.data.scale = 0.5
    smaller = open_data(half)
    small = simulated.painted(half, smaller.converted.calibration, smaller.original.calibration)
    large = simulated.painted(config(), data.converted.calibration, data.original.calibration)
    for one, other in zip(small, large, strict=True):
        assert one.image.shape == (32, 32, 1) and one.mask.shape == (32, 32) and one.id == other.id
        np.testing.assert_array_equal(one.image, convert(half, other.image))
        assert one.mask.mean() == pytest.approx(other.mask.mean(), abs=0.05)


def test_no_painter_is_a_flaw_that_is_trained_on(data):
    from data_pipeline.synthetic import defects
    from jaxdefect.flaws.kinds import KINDS

    assert not {kind.name for kind in defects.KINDS.values()} & KINDS.keys()


def test_a_map_that_shows_the_painted_flaws_is_judged_perfect(data):
    from jaxdefect.detector import Scores, no_calibration

    good, flawed, masks = simulated.windows(data.converted.calibration, 32)
    truth = {image.tobytes(): mask for image, mask in zip(np.concatenate([good, flawed]), [*masks * 0, *masks],
                                                         strict=True)}  # fmt: skip
    detector, _ = make_detector(config())

    def score(state, images):
        maps = np.stack([truth[np.round(image * 255).astype(np.uint8).tobytes()] for image in np.asarray(images)])
        return Scores(maps.max((1, 2)).astype(np.float32), maps.astype(np.float32))

    all_seeing = detector._replace(score=score, calibrate=no_calibration)
    with jax.disable_jit():
        figures = simulated.validation(config(), data, all_seeing)(None)
    assert figures == {"loss": 0.0, "image_auroc": 1.0, "image_ap": 1.0, "pixel_auroc": 1.0, "pixel_ap": 1.0}


def test_a_detector_that_needs_calibration_is_not_validated_so(data):
    with pytest.raises(ValueError, match="train.validate_on = 'simulated': padim scores by what calibration gathers"):
        simulated.validation(config("padim"), data, make_detector(config("padim"))[0])


def test_a_run_is_validated_and_its_thresholds_are_fitted_on_painted_flaws(tmp_path):
    words = ["--detector", "nsa", *tiny.words("nsa"), "train.validate=True", "train.validate_on=simulated"]
    words += [f"data.options.{name}={value!r}" for name, value in OPTIONS.items()]
    train.main([*words, "train.restore=best", "--workdir", str(tmp_path / "run")])
    rows = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert all(0 <= row["val_image_auroc"] <= 1 and 0 <= row["val_pixel_ap"] <= 1 for row in rows)
    result = result_of(tmp_path / "run")
    fitted, painted = result["thresholds"], result["figures"]["painted"]
    assert "painted flaws" in fitted["pixel"]["rule"] and "painted flaws" in fitted["image"]["rule"]
    assert all(0 <= painted[part][name] <= 1 for part in ("image", "pixel") for name in ("auroc", "ap"))


def test_painted_flaws_and_real_defects_are_not_asked_for_at_once(data):
    asked = config()
    asked.threshold.update(image_rule="simulated", pixel_rule="f1")
    with pytest.raises(ValueError, match="one needs real defects, the other painted flaws"):
        thresholds.images_to_fit_on(asked, data)
