"""Stitching undoes cutting, and so images of any size are reconstructed by tiles."""

import jax
import numpy as np
import pytest

from jaxdefect.maps import tiling
from jaxdefect.maps.tiling import Tiles
from tests.drilled import drilled


def uniform(seed, *shape):
    return jax.random.uniform(jax.random.key(seed), shape)


@pytest.mark.parametrize("height, width", [(64, 64), (100, 150), (65, 64), (30, 200), (7, 9)])
@pytest.mark.parametrize("tiles", [Tiles(32, 8), *drilled((Tiles(64, 16),), (Tiles(48, 0),), (Tiles(32, 16),))])
def test_stitching_undoes_cutting(height, width, tiles):
    images = uniform(0, 2, height, width, 3)
    pieces = tiling.cut(images, tiles)
    assert pieces.shape[1:3] == tiling.grid(height, width, tiles)
    np.testing.assert_allclose(tiling.stitch(pieces, tiles, height=height, width=width), images, atol=1e-6)


def test_an_image_of_the_size_of_a_tile_is_reconstructed_as_it_is():
    images, seen = uniform(0, 3, 64, 64, 3), []
    tiling.reconstruct_tiled(lambda x: seen.append(x) or x, images, Tiles(64, 16))
    np.testing.assert_array_equal(seen[0], images)


@pytest.mark.parametrize(("height", "width"), [(64, 40), (33, 61), (16, 19)])
def test_a_network_that_reconstructs_faithfully_gives_back_images_of_any_size(height, width):
    images = uniform(0, 2, height, width, 3)
    np.testing.assert_allclose(tiling.reconstruct_tiled(lambda x: x, images, Tiles(32, 8)), images, atol=1e-6)
