"""A run opened in Python: one image, a batch, a stream; and what is refused."""

import json
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

import jaxdefect
from launch.run import inference, overlap, prediction
from launch.run.data import open_data
from launch.run.folder import write_result
from launch.run.trained import load_run


@pytest.fixture(scope="module")
def opened(run):
    return jaxdefect.open_run(run)


@pytest.fixture(scope="module")
def images(run):
    return [sample.image for sample in open_data(load_run(run).config).converted.test]


def test_what_is_found_is_what_evaluation_found(run, opened, images):
    found = opened(images[0])
    rows = (run / "predictions.csv").read_text().splitlines()
    score = float(dict(zip(rows[0].split(","), rows[1].split(","), strict=True))["score"])
    assert found.score == pytest.approx(score, rel=1e-5)
    fitted = json.loads((run / "result.json").read_text())["thresholds"]
    assert (found.image_threshold, found.pixel_threshold) == (fitted["image"]["value"], fitted["pixel"]["value"])
    assert found.defective == (found.score > found.image_threshold)
    np.testing.assert_array_equal(found.mask, (found.map > found.pixel_threshold) & found.defective)
    assert sum(region.area for region in found.regions) == found.mask.sum() and found.map.shape == images[0].shape[:2]


def test_an_image_may_come_in_any_dress(opened, images):
    grey = images[0]
    plain = opened(grey).score
    dresses = [grey[..., 0], grey / np.float32(255), grey / 255, np.repeat(grey, 3, -1)]
    alpha = np.concatenate([np.repeat(grey, 3, -1), np.full_like(grey, 7)], -1)
    for dress in (*dresses, alpha):
        assert opened(dress).score == pytest.approx(plain, rel=1e-5)


def test_batches_and_streams_keep_their_order(opened, images):
    alone = [opened(image).score for image in images]
    assert [found.score for found in opened(np.stack(images))] == alone
    assert [found.score for found in opened.stream(iter(images))] == alone


def test_a_stream_draws_few_images_ahead(opened, images):
    drawn = []

    def endless():
        while True:
            drawn.append(len(drawn))
            yield images[0]

    stream = opened.stream(endless())
    for _ in range(3):
        next(stream)
    assert len(drawn) <= 3 + 2 * (overlap.AHEAD + 1)
    stream.close()


def test_an_error_comes_at_its_image_and_ends_the_threads(opened, images):
    before = threading.active_count()
    stream = opened.stream([images[0], images[0][..., 0] > 100, images[0]])
    assert next(stream).score
    with pytest.raises(ValueError, match="an image of bool"):
        list(stream)
    assert threading.active_count() == before


@pytest.mark.parametrize("image, said", [
    (np.zeros((4, 4, 2), np.uint8), r"an image of shape \(4, 4, 2\); give \[H, W\]"),
    (np.zeros((0, 4), np.uint8), r"shape \(0, 4, 1\)"),
    (np.zeros(4, np.uint8), r"shape \(4,\)"),
    (np.zeros((4, 4), np.int32), "an image of int32; give uint8 from 0 to 255"),
    (np.full((4, 4), 2.0), "floats from 2 to 2; give floats from 0 to 1"),
    (np.full((4, 4), np.nan), "floats from nan to nan"),
])  # fmt: skip
def test_what_is_no_image_is_refused(opened, image, said):
    with pytest.raises(ValueError, match=said):
        opened(image)


def test_thresholds_and_the_least_area_may_be_given(run, images):
    strict = jaxdefect.open_run(run, pixel_threshold=-1.0, image_threshold=1e9, min_area=10**6)(images[0])
    assert not strict.defective and strict.pixel_threshold == -1.0 and not strict.mask.any() and strict.regions == []
    chosen = {"pixel_threshold": -1.0, "image_threshold": -1.0}
    assert jaxdefect.open_run(run, **chosen)(images[0]).mask.all()
    dropped = jaxdefect.open_run(run, **chosen, min_area=10**6)(images[0])
    assert dropped.defective and not dropped.mask.any() and dropped.regions == []


def test_images_are_scored_in_tiles_where_thresholds_were_fitted_so(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    result = json.loads((run / "result.json").read_text())
    assert result["tiles"] is None
    del result["seal"]
    write_result(tmp_path / "run", result | {"tiles": [32, 8]})
    assert jaxdefect.open_run(tmp_path / "run").predictor.tiles == (32, 8)
    del result["tiles"]
    write_result(tmp_path / "run", result)
    with pytest.raises(
        ValueError, match=r"result.json is damaged or of another version .*run python -m launch.evaluate"
    ):
        jaxdefect.open_run(tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    with pytest.raises(FileNotFoundError, match="run python -m launch.evaluate"):
        jaxdefect.open_run(tmp_path / "run")


@pytest.mark.drill
def test_it_needs_no_tensorflow_and_the_library_alone_no_launcher():
    program = "import sys, jaxdefect; assert 'launch' not in sys.modules; jaxdefect.open_run; "
    program += "assert 'launch' in sys.modules and 'tensorflow' not in sys.modules; "
    program += "assert 'scipy.ndimage' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
    with pytest.raises(AttributeError, match="has no attribute 'open'"):
        jaxdefect.open  # noqa: B018


@pytest.mark.drill
def test_images_of_one_size_may_go_together_and_come_out_the_same(run, opened, images, monkeypatch, optimised):
    odd = [images[0], images[1], images[2][:40], images[3], images[4], images[5], images[0], images[6]]
    alone = list(opened.stream(odd))
    calls, seen = [], []
    plain, on_canvas = inference.Predictor.together, prediction.on_canvas
    monkeypatch.setattr(
        inference.Predictor, "together", lambda self, shown, size: calls.append(len(shown)) or plain(self, shown, size)
    )
    monkeypatch.setattr(prediction, "on_canvas", lambda *about: seen.append(1) or on_canvas(*about))
    for place in ("launch.run.overlap.at_once", "launch.run.prediction.at_once"):
        monkeypatch.setattr(place, lambda height, width: 3)
    together = list(opened.stream(odd))
    assert calls == [2, 1, 3, 2] and len(seen) == 3 + 1 + 3 + 3  # Calls of several are filled up to three.
    for one, other in zip(alone, together, strict=True):
        assert other.score == pytest.approx(one.score, rel=1e-5) and other.map.shape == one.map.shape
        np.testing.assert_allclose(other.map, one.map, rtol=1e-4, atol=1e-6)


def test_a_cpu_takes_one_image_at_a_time_and_an_accelerator_what_fits(monkeypatch):
    assert prediction.at_once(64, 64) == 1
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    assert [prediction.at_once(side, side) for side in (64, 2048, 4096, 9000)] == [8, 4, 1, 1]
