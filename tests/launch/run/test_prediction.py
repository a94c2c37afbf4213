"""An image through a run, and its map back at the size of the original."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.detector import Scores
from jaxdefect.maps.components import remove_small
from launch.run.prediction import detect_image, enlarged, without_small
from launch.run.trained import Run
from tests.jaxdefect.blurring import blur_detector
from tests.launch.run.bare_runs import run_with
from tests.tiny import config as tiny_config


def test_boxes_are_told_in_pixels_of_the_original():
    boxes = np.array([[[2, 3, 10, 12, 0.9], [0, 0, 0, 0, 0]]], np.float32)
    detector = type("Fake", (), {"score": staticmethod(lambda state, images: Scores(images[:, 0, 0, 0], boxes=boxes))})
    run = run_with()._replace(detector=detector, state={})
    image = np.zeros((16, 20, 1), np.uint8)
    found = detect_image(run, image, (32, 60), tiles=None, level=None, min_area=0)
    np.testing.assert_allclose(found.boxes, [[4, 9, 20, 36, 0.9]])


@pytest.fixture
def run():
    """A run whose map is the image itself."""
    return Run(tiny_config("renet_d"), blur_detector(0), 1.0, {})


def test_maps_and_masks_come_at_the_size_of_the_original(run):
    image = np.zeros((20, 30, 1), np.uint8)
    image[:10] = 200
    found = detect_image(run, image, (41, 60), tiles=None, level=0.5, min_area=0)
    assert found.map.shape == found.mask.shape == (41, 60)
    np.testing.assert_array_equal(found.mask, found.map > 0.5)
    assert found.mask[:20].all() and not found.mask[22:].any()


def test_an_enlarged_map_is_that_of_jax():
    scored = np.random.default_rng(0).random((9, 13)).astype(np.float32)
    expected = jax.image.resize(jnp.asarray(scored), (31, 40), "linear")
    np.testing.assert_allclose(enlarged(scored, (31, 40)), expected, atol=1e-5)


def test_small_defects_are_dropped_as_on_the_device():
    mask = np.random.default_rng(1).random((40, 50)) > 0.7
    for area in (0, 1, 3, 8):
        np.testing.assert_array_equal(without_small(mask, area), remove_small(jnp.asarray(mask), area))


def test_originals_of_many_sizes_compile_once(run):
    from jaxdefect import scoring

    image = np.zeros((24, 24, 1), np.uint8)
    detect_image(run, image, (50, 51), tiles=None, level=0.5, min_area=0)
    before = scoring.detect._cache_size()
    for side in range(52, 60):
        detect_image(run, image, (side, 51), tiles=None, level=0.5, min_area=0)
    assert scoring.detect._cache_size() == before
