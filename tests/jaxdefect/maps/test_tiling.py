"""Stitching undoes cutting."""

import jax
import numpy as np
import pytest

from jaxdefect.maps import tiling
from jaxdefect.maps.tiling import Tiles


def uniform(seed, *shape):
    return jax.random.uniform(jax.random.key(seed), shape)


@pytest.mark.parametrize("height, width", [(64, 64), (100, 150), (65, 64), (30, 200), (7, 9)])
@pytest.mark.parametrize("tiles", [Tiles(32, 8), Tiles(64, 16), Tiles(48, 0), Tiles(32, 16)])
def test_stitching_undoes_cutting(height, width, tiles):
    images = uniform(0, 2, height, width, 3)
    pieces = tiling.cut(images, tiles)
    assert pieces.shape[1:3] == tiling.grid(height, width, tiles)
    np.testing.assert_allclose(tiling.stitch(pieces, tiles, height=height, width=width), images, atol=1e-6)
