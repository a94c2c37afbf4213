"""Features of patches: cells lie where they say, margins, smoothing and sampling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from jaxdefect import backbones
from jaxdefect.backbones import patch_features
from tests.drilled import drilled
from tests.jaxdefect.backbones.drawn_backbones import drawn, joined, sample_images

pytestmark = pytest.mark.usefixtures("backbones_are_drawn_quickly")


@pytest.mark.parametrize(("name", "stage"), [("small", 1), ("squeezenet", 1), *drilled(("resnet18", 0), ("vgg16", 1))])
def test_a_cell_lies_in_the_middle_of_what_it_sees(name, stage):
    backbone, sides, cell = backbones.load(name, width=4)._replace(size=0), (96, 32), {"resnet18": 8}.get(name, 5)
    variables = drawn(name)
    image = jax.random.uniform(jax.random.key(1), (1, *sides, 3))
    lines = image + 5 * jnp.eye(sides[0])[:, :, None, None]  # One row of each is bright.
    maps = jax.jit(lambda x: backbones.maps(backbone, variables, x)[stage][:, cell])(jnp.concatenate([image, lines]))
    seen = np.flatnonzero(np.abs(maps[1:] - maps[0]).max((1, 2)) > 1e-6 * np.abs(maps).max())
    stride, first = patch_features.geometry(name, stage)
    assert seen[0] > 0 and seen[-1] < sides[0] - 1
    assert abs((seen[0] + seen[-1]) / 2 - (first + stride * cell)) <= 1  # Few of the outermost pixels matter.


def test_every_backbone_has_a_geometry():
    assert set(patch_features.GEOMETRY) == set(backbones.names())


@pytest.mark.parametrize("name", ["small", "squeezenet", "vgg16", "resnet18"])
@pytest.mark.parametrize("side", [64, 71])
def test_cells_begin_within_half_a_stride_of_the_first_pixel(name, side):
    for stage in range(2):
        stride, _ = patch_features.geometry(name, stage)
        places = patch_features.centres(name, stage, side)
        assert abs(places[0]) <= stride / 2 and side - stride <= places[-1] < side
        np.testing.assert_array_equal(np.diff(places), stride)


def test_with_a_margin_a_constant_image_looks_alike_everywhere():
    flat = jnp.full((1, 70, 90, 1), 0.4)
    spread = {}
    for margin in (0, 48):
        seen = joined(backbone="squeezenet", margin=margin)
        variables = seen.init(jax.random.key(0))
        cells = np.asarray(jax.jit(seen.cells)(variables, flat))
        spread[margin] = np.abs(cells - cells[:, 9:10, 9:10]).max() / np.abs(cells).max()
    assert spread[48] < 1e-5 < 0.05 < spread[0]


def test_an_image_moved_by_a_stride_moves_its_cells_by_one():
    seen = joined(margin=16)
    variables = seen.init(jax.random.key(0))
    wide = sample_images(1, 128)
    cells, moved = (seen.cells(variables, x) for x in (wide[:, :96, :96], wide[:, 4:100, 4:100]))
    inside = slice(6, -8)  # Stage 0 has a cell for every 2 pixels, stage 1 for every 4.
    np.testing.assert_allclose(cells[:, 2:, 2:][:, inside, inside], moved[:, :-2, :-2][:, inside, inside], atol=1e-5)


def test_a_bright_cell_comes_back_where_it_lies():
    seen = joined(stages=(1, 0))
    values = jnp.zeros((1, 16, 16)).at[0, 5, 9].set(1)
    found = np.asarray(seen.to_pixels(values, 64, 64))[0]
    assert np.unravel_index(found.argmax(), found.shape) == (5 * 4, 9 * 4) and found.max() == 1


def test_small_images_are_seen_like_their_mirrored_continuation():
    seen = joined()
    variables = seen.init(jax.random.key(0))
    small = sample_images(1)[:, :20, :40]
    whole = jnp.asarray(np.pad(small, ((0, 0), (0, 44), (0, 24), (0, 0)), "symmetric"))
    cells = seen.cells(variables, small)
    assert cells.shape[1:3] == (10, 20)
    np.testing.assert_allclose(cells, seen.cells(variables, whole)[:, :10, :20], atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 50, 37), (1, 9, 30)])
def test_smoothing_is_that_of_scipy(shape):
    maps = np.random.default_rng(0).random(shape, np.float32)
    expected = np.stack([scipy.ndimage.gaussian_filter(each, 4) for each in maps])
    np.testing.assert_allclose(patch_features.gaussian_smoothed(maps, 4), expected, atol=1e-5)


def test_sampling_is_that_of_scipy():
    maps = np.random.default_rng(0).random((1, 8, 9, 1), np.float32)
    rows, columns = np.array([-1, 0, 0.25, 6.5, 7.9]), np.array([0, 3.5, 8])
    grid = np.meshgrid(rows, columns, indexing="ij")
    expected = scipy.ndimage.map_coordinates(maps[0, ..., 0], grid, order=1, mode="nearest")
    np.testing.assert_allclose(patch_features.sampled(maps, rows, columns)[0, ..., 0], expected, atol=1e-6)
