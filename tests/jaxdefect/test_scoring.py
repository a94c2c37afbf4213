"""Tiles against whole images; from uint8 to mask in one call."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect import scoring
from jaxdefect.maps.tiling import Tiles
from tests.jaxdefect.blurring import blur_detector


def uniform(seed, *shape):
    return jax.random.uniform(jax.random.key(seed), shape)


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
