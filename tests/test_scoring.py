"""Filters against scipy; tiles against whole images; from uint8 to mask in one call."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

import jaxdefect
from jaxdefect import scoring
from jaxdefect.maps import residuals as residual_maps
from jaxdefect.maps import tiling
from jaxdefect.maps.tiling import Tiles


def uniform(seed, *shape):
    return jax.random.uniform(jax.random.key(seed), shape)


@pytest.mark.parametrize("size", [1, 3, 5, 9, 15, 25])
def test_the_box_filter_is_that_of_scipy(size):
    maps = uniform(0, 2, 40, 31)
    expected = np.stack([scipy.ndimage.uniform_filter(np.asarray(m, np.float64), size) for m in maps])
    np.testing.assert_allclose(residual_maps.box_filter(maps, size), expected, atol=1e-6)


def test_the_box_filter_does_not_drift_over_long_rows():
    row = jnp.concatenate([jnp.full((1, 5, 2000), 1e4), jnp.full((1, 5, 2000), 1e-4)], -1)
    np.testing.assert_allclose(residual_maps.box_filter(row, 5)[0, :, 2100:], 1e-4, rtol=1e-5)


def test_residuals_are_worst_where_images_differ():
    image = jnp.full((1, 32, 32, 3), 0.5)
    rebuilt = image.at[0, 10, 20].set(0.9)
    for name, residual in residual_maps.RESIDUALS.items():
        found = residual(image, rebuilt)
        assert found.shape == (1, 32, 32), name
        assert float(found[0, 10, 20]) > 0.01 and float(jnp.abs(found[0, 25:, :5]).max()) < 1e-6, name
    assert float(residual_maps.squared(image, rebuilt)[0, 10, 20]) == pytest.approx(0.16)


@pytest.mark.parametrize("height, width", [(64, 64), (100, 150), (65, 64), (30, 200), (7, 9)])
@pytest.mark.parametrize("tiles", [Tiles(32, 8), Tiles(64, 16), Tiles(48, 0), Tiles(32, 16)])
def test_stitching_undoes_cutting(height, width, tiles):
    images = uniform(0, 2, height, width, 3)
    pieces = tiling.cut(images, tiles)
    assert pieces.shape[1:3] == tiling.grid(height, width, tiles)
    np.testing.assert_allclose(tiling.stitch(pieces, tiles, height=height, width=width), images, atol=1e-6)


def blur_detector(reach: int):
    """Scores with a zero-padded window of `reach` pixels a side, as a convolutional network would."""

    def score(state, images):
        kernel = jnp.ones((2 * reach + 1, 2 * reach + 1, images.shape[-1], 1)) * state
        maps = jax.lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jaxdefect.Scores(maps.max((1, 2, 3)), maps[..., 0], images)

    return jaxdefect.Detector(lambda key, batch: 1.0, lambda state, batch, key: (state, {}), score)


@pytest.mark.parametrize("height, width", [(96, 96), (150, 201)])
def test_tiles_equal_the_whole_image_away_from_its_border(height, width):
    tiles, reach = Tiles(64, 32), 8  # The outer quarter of the overlap is dropped: 8 pixels.
    detector = blur_detector(reach)
    images = uniform(1, 2, height, width, 1)
    whole = detector.score(1.0, images)
    tiled = scoring.score_tiled(detector, 1.0, images, tiles)
    inner = np.s_[:, reach : -reach or None, reach : -reach or None]
    np.testing.assert_allclose(tiled.map[inner], whole.map[inner], rtol=1e-5)
    np.testing.assert_allclose(tiled.reconstruction, images, atol=1e-6)
    assert not np.allclose(scoring.score_tiled(detector, 1.0, images, Tiles(64, 4)).map[inner], whole.map[inner])


def test_many_tiles_are_scored_in_turn_to_the_same_result(monkeypatch):
    detector, images = blur_detector(2), uniform(0, 1, 128, 128, 1)
    at_once = scoring.score_tiled(detector, 1.0, images, Tiles(32, 8))
    monkeypatch.setattr(scoring, "TILES_AT_ONCE", 4)
    in_turn = scoring.score_tiled(detector, 1.0, images, Tiles(32, 8))
    for a, b in zip(jax.tree.leaves(at_once), jax.tree.leaves(in_turn), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_one_call_goes_from_uint8_to_mask():
    images = np.zeros((2, 40, 40, 1), np.uint8)
    images[0, 5:15, 5:15] = 255  # 100 pixels
    images[0, 30, 30] = 255  # a speck
    detector = blur_detector(0)
    found = scoring.detect(detector, 1.0, images, threshold=0.5, min_area=4)
    np.testing.assert_array_equal(found.mask[0], (images[0, ..., 0] > 0) & (np.arange(40) < 20))
    assert not bool(found.mask[1].any())
    with_speck = scoring.detect(detector, 1.0, images, threshold=0.5, min_area=0)
    assert int(with_speck.mask[0].sum()) == 101
    assert int(scoring.detect(detector, 1.0, images, threshold=1.0).mask.sum()) == 0  # strictly above
    otsu = scoring.detect(detector, 1.0, images, threshold=None)
    np.testing.assert_array_equal(otsu.mask[0], images[0, ..., 0] > 0)


@pytest.mark.parametrize("tiles", [Tiles(4, 0), Tiles(32, 17), Tiles(32, -1)])
def test_tiles_that_do_not_cover_are_refused(tiles):
    with pytest.raises(ValueError, match=f"score.tile = {tiles.size} with score.overlap = {tiles.overlap}"):
        scoring.score_tiled(blur_detector(1), 1.0, jnp.zeros((1, 64, 64, 1)), tiles)


@pytest.mark.parametrize("size", [1, 3, 11])
def test_the_local_variance_is_that_of_scipy(size):
    residuals = np.random.default_rng(0).normal(3, 0.1, (2, 20, 31)).astype(np.float32)  # A large mean, a small spread.
    exact = residuals.astype(np.float64)
    mean = scipy.ndimage.uniform_filter(exact, (0, size, size))
    expected = scipy.ndimage.uniform_filter(exact**2, (0, size, size)) - mean**2
    np.testing.assert_allclose(residual_maps.local_variance(jnp.asarray(residuals), size), expected, atol=1e-6)


def test_an_even_box_is_refused():
    with pytest.raises(ValueError, match="settings.box = 4; the mean filter needs an odd number"):
        residual_maps.check_box(4)
