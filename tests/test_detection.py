"""An image through a run, and its map back at the size of the original."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.maps.components import remove_small
from launch.command import configuration as configs
from launch.run import thresholds
from launch.run.data import conversion
from launch.run.prediction import detect_image, enlarged, without_small
from launch.run.trained import Run
from tests.test_scoring import blur_detector


@pytest.fixture
def run():
    """A run whose map is the image itself."""
    return Run(configs.get("renet_d", "tiny"), blur_detector(0), 1.0, {})


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


def test_a_size_and_a_scale_at_once_are_refused():
    config = configs.get("maa", "tiny")
    config.data.scale = 0.5
    with pytest.raises(ValueError, match="data.size = 32 with data.scale = 0.5"):
        conversion(config)


def test_decisions_at_multiples_of_the_spread():
    fitted = thresholds.Fitted(None, None, "train", [1.0, 2.0, 3.0])
    rows = thresholds.pauta_table(fitted, (0.0, 1.0, 1.5), [1.0, 2.5, 2.9, 9.0], [0, 0, 1, 1])
    assert list(rows) == ["gamma0", "gamma1", "gamma1_5"]
    assert rows["gamma0"]["threshold"] == 2.0
    assert rows["gamma1"]["threshold"] == pytest.approx(2 + np.std([1, 2, 3]))
    assert rows["gamma0"] == rows["gamma0"] | {"accuracy": 0.75, "recall": 1.0, "precision": 2 / 3, "specificity": 0.5}
    assert rows["gamma1_5"] == rows["gamma1_5"] | {"recall": 0.5, "precision": 1.0, "specificity": 1.0}
    assert thresholds.pauta_table(fitted, (0.0,), [5.0], [1])["gamma0"]["specificity"] is None
