"""An image through a run, and its map back at the size of the original."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect import parallel, scoring
from jaxdefect.detector import Scores
from jaxdefect.maps.tiling import Tiles
from launch.run import prediction
from launch.run.prediction import Prediction, Predictor, decide, defect_mask, enlarged, predictor, tiles_of
from launch.run.trained import Run
from tests.jaxdefect.blurring import blur_detector
from tests.tiny import config as tiny_config


def run_of(detector, state, **fields):
    config = tiny_config("renet_d")
    config.threshold.update(fields)
    return Run(config, detector, state, {}, {"kinds": ()})


@pytest.fixture
def shown():
    """A run whose map is the image itself, of whole images."""
    return Predictor(run_of(blur_detector(0), 1.0), None)


def test_boxes_are_told_in_pixels_of_the_original():
    boxes = np.array([[[2, 3, 10, 12, 0.9], [0, 0, 0, 0, 0]]], np.float32)
    detector = type("Fake", (), {"score": staticmethod(lambda state, images: Scores(images[:, 0, 0, 0], boxes=boxes))})
    found = Predictor(run_of(detector, {}), None)(np.zeros((16, 20, 1), np.uint8), (32, 60))
    np.testing.assert_allclose(found.boxes, [[4, 9, 20, 36, 0.9]])
    assert found.map is None and defect_mask(found, None, 0) is None


def test_images_of_any_number_of_sizes_keep_few_programs(shown, monkeypatch):
    monkeypatch.setattr(prediction, "PROGRAMS", 3)
    for side in range(16, 22):
        assert shown(np.zeros((side, 16, 1), np.uint8)).map.shape == (side, 16)
        assert scoring.detect._cache_size() <= 3


def test_maps_and_masks_come_at_the_size_of_the_original(shown):
    image = np.zeros((20, 30, 1), np.uint8)
    image[:10] = 200
    found = shown(image, (41, 60))
    mask = defect_mask(found, 0.5, 0)
    assert found.map.shape == mask.shape == (41, 60)
    np.testing.assert_array_equal(mask, found.map > 0.5)
    assert mask[:20].all() and not mask[22:].any()


def test_an_original_is_brought_to_what_the_detector_sees(shown):
    shown.run.config.data.scale = 0.5
    colour = np.full((40, 60, 3), 200, np.uint8)
    found = shown.original(colour)
    assert found.map.shape == (40, 60) and found.reconstruction.shape == (20, 30, 1)
    assert found.score == pytest.approx(200 / 255)


def test_an_enlarged_map_is_that_of_jax():
    scored = np.random.default_rng(0).random((9, 13)).astype(np.float32)
    expected = jax.image.resize(jnp.asarray(scored), (31, 40), "linear")
    np.testing.assert_allclose(enlarged(scored, (31, 40)), expected, atol=1e-5)


@pytest.mark.parametrize("rule", ["pauta", "otsu"])
@pytest.mark.parametrize("tiles", [None, Tiles(32, 8)])
def test_masks_made_on_the_host_are_those_of_the_device(rule, tiles):
    image = np.random.default_rng(1).integers(0, 256, (40, 50, 1), np.uint8)
    run = run_of(blur_detector(1), 1 / 9, pixel_rule=rule)
    found = Predictor(run, tiles)(image)
    level = None if rule == "otsu" else 0.6
    canvas = np.pad(image, ((0, 16), (0, 6), (0, 0)), "symmetric") if tiles else image  # A whole grid of tiles.
    for area in (0, 1, 3, 8):
        there = scoring.detect(run.detector, run.state, canvas[None], threshold=level, min_area=0, tiles=tiles)
        whole = np.asarray(there.mask[0, :40, :50])
        np.testing.assert_array_equal(defect_mask(found, level, 0), whole)
        small = scoring.remove_small(whole, area)
        np.testing.assert_array_equal(defect_mask(found, level, area), small)
        if tiles is None:
            there = scoring.detect(run.detector, run.state, image[None], threshold=level, min_area=area)
            np.testing.assert_array_equal(defect_mask(found, level, area), there.mask[0])


@pytest.mark.parametrize("level", [0.0, 1e-40, -1e-40])
def test_a_subnormal_level_is_zero_on_the_host_as_on_the_device(level):
    image = np.zeros((1, 8, 8, 1), np.uint8)
    image[0, 2:4, 2:4] = 1
    for weight in (1.0, 1e-37):  # The map is a normal number where there is something, or too small for one.
        run = run_of(blur_detector(0), weight)
        there = scoring.detect(run.detector, run.state, image, threshold=level)
        np.testing.assert_array_equal(defect_mask(Predictor(run, None)(image[0]), level, 0), there.mask[0])


def test_a_level_of_otsu_belongs_to_each_image():
    bright, dark = (np.full((8, 8), value, np.float32) for value in (0.8, 0.2))
    for one in (bright, dark):
        one[2:4, 2:4] += 0.1
        mask = defect_mask(Prediction(1.0, one, otsu=float(one[0, 0]) + 0.05), None, 0)
        assert mask.sum() == 4 and mask[2:4, 2:4].all()


def test_an_image_that_passes_has_no_defects():
    one = np.zeros((8, 8), np.float32)
    one[2:4, 2:4] = 1
    levels = {"image_threshold": 0.5, "pixel_threshold": 0.2, "min_area": 0}
    for score, called in ((0.4, False), (0.5, False), (0.6, True)):
        defective, mask = decide(Prediction(score, one), **levels)
        assert defective == called and mask.dtype == bool and mask.sum() == 4 * called
    defective, mask = decide(Prediction(0.4, one, otsu=0.5), **levels | {"pixel_threshold": None})
    assert not defective and not mask.any()
    assert decide(Prediction(0.6), **levels) == (True, None) and decide(Prediction(0.4), **levels) == (False, None)


def test_images_are_whole_unless_there_are_many_sizes():
    config = tiny_config("renet_d")
    few, many = [(64, 64)] * 90, [(64 + side, 64) for side in range(9)]
    expected = Tiles(config.score.tile, config.score.overlap)
    assert tiles_of(config, few) is None and tiles_of(config, many) == expected
    config.score.mode = "whole"
    assert tiles_of(config, many) is None
    config.score.mode = "tiled"
    assert tiles_of(config, few) == expected == predictor(run_of(None, None)._replace(config=config), few).tiles


@pytest.mark.parametrize(("largest", "tile"), [(1000, 512), (512, 512), (300, 320), (320, 320), (90, 128)])
def test_tiles_are_no_larger_than_images_ask_for(largest, tile):
    config = tiny_config("renet_d")
    config.score.update(mode="tiled", tile=512, overlap=64)
    assert tiles_of(config, [(60, 60), (largest, 40)]) == Tiles(tile, 64)


def test_originals_of_many_sizes_compile_once(shown):
    image = np.zeros((24, 24, 1), np.uint8)
    shown(image, (50, 51))
    before = scoring.detect._cache_size()
    for side in range(52, 60):
        shown(image, (side, 51))
    assert scoring.detect._cache_size() == before


def test_it_is_known_what_an_image_would_take_without_it(shown, monkeypatch):
    image = np.broadcast_to(np.uint8(0), (9000, 9000, 1))  # One byte, of which all pixels are made.
    assert parallel.free_memory() > 1e6
    monkeypatch.setattr(parallel, "free_memory", lambda: 1e8)
    with pytest.raises(ValueError, match=r"9000 x 9000 pixels takes \d+\.\d GB to score, and 0.1 GB are free; cut"):
        shown.original(image)


def test_a_large_image_is_scored_in_tiles_by_itself_where_its_score_follows_from_its_map(monkeypatch):
    monkeypatch.setattr(prediction, "LARGE", 64 * 64)
    reach, image = 3, np.random.default_rng(0).integers(0, 256, (150, 131, 1), np.uint8)
    detector = blur_detector(reach)
    follows = detector._replace(image_score=lambda state, maps, size: maps.max((1, 2)))
    whole, tiled = (Predictor(run_of(one, 1.0), None) for one in (detector, follows))
    assert whole.of_size(150, 131).tiles is None and tiled.of_size(64, 64).tiles is None
    knobs = tiled.run.config.score
    assert tiled.of_size(150, 131).tiles == Tiles(knobs.tile, knobs.overlap) and knobs.overlap > 4 * reach
    one, other = whole(image), tiled(image)
    inner = np.s_[reach:-reach, reach:-reach]  # Beyond its border a tiled image is mirrored, a whole one zero.
    np.testing.assert_allclose(one.map[inner], other.map[inner], rtol=1e-5)
    assert other.score == pytest.approx(other.map.max(), rel=1e-5)
    tiled.run.config.score.mode = "whole"
    assert tiled.of_size(150, 131).tiles is None
