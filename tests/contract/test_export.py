"""Every detector leaves as ONNX and decides as before, or is named here with the reason why it can't.

Runs where jax2onnx and onnxruntime are installed (extra `export`).
"""

import importlib.util
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxdefect import scoring
from jaxdefect.maps.tiling import Tiles
from launch.exporting import convert, detect, export, joined, parity, system
from launch.run.inference import OpenRun
from launch.run.prediction import Predictor
from launch.run.surfaces import surfaces_of
from launch.run.trained import Run
from launch.system.inspection import System
from tests.contract.steps import CASES, fit, marked_as, textures, tiny

LACKING = [name for name in convert.NEEDED if not importlib.util.find_spec(name)]
pytestmark = [pytest.mark.drill, pytest.mark.skipif(bool(LACKING), reason=f"{', '.join(LACKING)} not installed")]
CANNOT = {
    "dct": "Fourier transform", "lca": "Fourier transform", "phot": "Fourier transform", "maa": "singular values",
    "faster_rcnn": "no form",
}  # fmt: skip
TOLERANCE = 1e-3


def opened(name: str, tiles: Tiles | None = None) -> tuple[OpenRun, list[np.ndarray]]:
    """A detector calibrated on two images, thresholds that part four others (two flawed), and these."""
    detector, config = tiny(name)
    looked_at = textures(6, channels=config.data.channels, seed=1)
    looked_at[4:] = [marked_as(image, 1, "masks")[0] for image in looked_at[4:]]
    state = jax.device_get(fit(name, 10).state)
    for image in looked_at[:2]:
        state = scoring.calibrate(detector, state, image[None], tiles=tiles)
    run = Run(config, detector, jax.device_put(scoring.finalize(detector, state)), {}, {"kinds": ()})
    found = [Predictor(run, tiles).original(image) for image in looked_at[2:]]
    limit = float(np.mean(sorted(one.score for one in found)[1:3]))
    level = None if found[0].map is None else float(np.quantile(found[0].map, 0.9))
    return OpenRun(Predictor(run, tiles), level, limit, 3), looked_at[2:]


def faults(open_run: OpenRun, images: list[np.ndarray], folder: Path) -> list[str]:
    """Where the exported model differs; its folder holds what detect.py reads."""
    config = open_run.predictor.run.config
    sight = export.sight_of(open_run, None, [image.shape[:2] for image in images])
    model = export.as_onnx(open_run, sight)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    limits = {"image": {"value": open_run.image_threshold}, "pixel": {"value": open_run.pixel_threshold}, "min_area": 3}
    about = {
        "image": {"size": sight.image, "largest": sight.largest, "channels": sight.channels},
        "thresholds": limits,
    }
    (folder / "model.json").write_text(json.dumps(about))
    told = parity.compare(open_run, detect.Model(folder), images)
    print(config.detector, told.as_json(open_run.image_threshold, open_run.image_threshold))
    return parity.faults(told.as_json(open_run.image_threshold, open_run.image_threshold), TOLERANCE)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.xdist_group(n)) for n in CASES])
def test_an_exported_detector_decides_as_before_or_says_why_it_cannot_be(name, tmp_path):
    open_run, images = opened(name)
    if name in CANNOT:
        with pytest.raises(ValueError, match=CANNOT[name]):
            faults(open_run, images, tmp_path)
    else:
        assert faults(open_run, images, tmp_path) == []


def test_a_run_that_was_evaluated_in_tiles_takes_images_of_any_size(tmp_path):
    open_run, _ = opened("cae", Tiles(32, 8))
    sizes = [(48, 48), (33, 90), (32, 32), (20, 70), (101, 57)]
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, open_run.predictor.run.config.data.channels), np.uint8) for size in sizes]
    assert faults(open_run, images, tmp_path) == []


def test_a_run_in_tiles_that_scores_an_image_by_its_whole_map_takes_images_up_to_the_largest(tmp_path):
    open_run, _ = opened("nsa", Tiles(32, 8))
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 1), np.uint8) for size in ((50, 71), (30, 27), (50, 27), (20, 60))]
    assert faults(open_run, images, tmp_path) == []
    model, too_tall = detect.Model(tmp_path), np.zeros((51, 27, 1), np.uint8)
    with pytest.raises(ValueError, match=r"\(51, 27, 1\); this model takes at most \[50, 71\] \(launch"):
        model(too_tall)
    with pytest.raises(Exception, match="must be >= 0"):  # by itself, too
        model.session.run(None, {"image": too_tall[None]})


@pytest.mark.parametrize("name", ["dae", "cnn_classifier"])
def test_images_come_to_the_detector_and_maps_back_as_pillow_resizes_them(tmp_path, name):
    open_run, _ = opened(name)
    config = open_run.predictor.run.config
    config.data.size = config.settings.size
    rng = np.random.default_rng(1)
    images = [
        rng.integers(0, 256, (*size, 1), np.uint8) for size in ((200, 31), (16, 16), (9, 120), (64, 64), (17, 15))
    ]
    assert faults(open_run, images, tmp_path) == []


def test_two_stages_in_one_file_decide_as_before(tmp_path):
    first, _ = opened("nearest_mean")
    names = surfaces_of(first.predictor.run.config)
    second, images = opened("segdec")
    images = [marked_as(image, place, "surfaces")[0] for place in range(3) for image in images]
    defects = {names[0]: second, names[1]: changed(second, 1.1), names[2]: changed(second, 0.8)}
    distances = [first.predictor.original(image).score for image in images]
    limit = float(np.mean(sorted(distances)[-3:-1]))
    trained = System(first.predictor.run, limit, defects)
    models = [
        export.as_onnx(run, export.sight_of(run, None, [image.shape[:2] for image in images]))
        for run in (first, *defects.values())
    ]
    whole = joined.joined(models[0], dict(enumerate(models[1:])), images[0].shape[:2], 1)
    (tmp_path / "model.onnx").write_bytes(whole.SerializeToString())
    of = lambda run: {"image": {"value": run.image_threshold}, "pixel": {"value": run.pixel_threshold}, "min_area": 3}
    limits = {"distance": {"value": limit}, "surfaces": {name: of(run) for name, run in defects.items()}}
    image = {"size": images[0].shape[:2], "largest": None, "channels": 1}
    about = {"image": image, "surfaces": names, "thresholds": limits}
    (tmp_path / "model.json").write_text(json.dumps(about))
    model = detect.Model(tmp_path)
    told, wrong = system.compare(trained, model, images, TOLERANCE)
    assert wrong == [] and told["images"] == 12 and len(told["defects"]) >= 2
    assert {model(image).defective for image in images} == {None, 0, 1}


def changed(run: OpenRun, scale: float) -> OpenRun:
    """A run of other weights."""
    before = run.predictor.run
    state = jax.tree.map(lambda x: x * scale if x.dtype.kind == "f" else x, before.state)
    return run._replace(predictor=Predictor(before._replace(state=state), run.predictor.tiles))


def test_the_page_names_those_that_cannot_be_exported():
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    _, section = page.split("\n## What cannot be exported\n")
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| `")]
    assert {name.strip("`, ") for row in rows for name in row.split(",")} == set(CANNOT)
