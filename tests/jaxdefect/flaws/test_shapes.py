"""Covers lie anywhere, at any angle, and are as large for their image at any resolution."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jaxdefect.flaws import shapes
from jaxdefect.training.loop import jit_once
from tests.drilled import drilled
from tests.jaxdefect.flaws.flawed_textures import keys

COVERS = {shape.__name__: shape for shape in (
    shapes.stain, shapes.spot, shapes.patch, shapes.scar, shapes.line, shapes.perlin,
)}  # fmt: skip
LIKELY = 1e-3  # the least p-value of a draw as it should be; keys are fixed


@functools.cache
def covers(name, height, width, count=128):
    draw = jit_once(jax.vmap(lambda key: COVERS[name](key, height, width)))
    return np.asarray(draw(keys(count)))


@pytest.mark.parametrize("name", COVERS)
def test_covers_are_drawn_and_between_0_and_1(name):
    drawn = covers(name, 24, 40)
    assert drawn.shape == (128, 24, 40) and np.isfinite(drawn).all() and drawn.min() >= 0 and drawn.max() <= 1
    assert drawn.any((1, 2)).mean() > 0.9  # What lies half outside may be missed.
    assert len(np.unique(drawn.reshape(128, -1), axis=0)) > 100


@pytest.mark.parametrize("name", ["line", *drilled("stain")])
def test_covers_are_as_large_at_twice_the_resolution(name):
    shares = [covers(name, size, size).mean((1, 2)) for size in (64, 128)]
    assert 0.8 < np.mean(shares[0]) / np.mean(shares[1]) < 1.3
    np.testing.assert_allclose(*shares, atol=0.02)


def test_areas_are_those_of_their_kind():
    """Bounds about what was measured: medians of .1, .5, .2, .3, 8 and 5 % of 128 x 128 pixels."""
    median = {name: float(np.median(covers(name, 128, 128).mean((1, 2)))) for name in COVERS}
    for name, (low, high) in {
        "spot": (0.0005, 0.006), "stain": (0.002, 0.03), "scar": (0.001, 0.01), "line": (0.001, 0.02),
        "patch": (0.05, 0.12), "perlin": (0.02, 0.2),
    }.items():  # fmt: skip
        assert low < median[name] < high, (name, median)


def test_places_and_angles_are_uniform():
    height, width = 24, 40

    def place(key):
        along, across = shapes.about_a_place(key, height, width)
        nearest = jnp.argmin(along**2 + across**2)
        angle = jnp.arctan2(along[1, 0] - along[0, 0], along[0, 1] - along[0, 0])
        return nearest // width, nearest % width, angle

    rows, columns, angles = map(np.asarray, jit_once(jax.vmap(place))(keys(4000)))
    for values, size in ((rows, height), (columns, width)):
        counts = np.bincount(values, minlength=size)
        assert len(counts) == size and scipy.stats.chisquare(counts).pvalue > LIKELY
    assert scipy.stats.kstest(angles / (2 * np.pi) + 0.5, "uniform").pvalue > LIKELY


def test_coordinates_are_shorter_sides_from_the_middle():
    along, across = shapes.about_a_place(jax.random.key(3), 20, 30)
    rows, columns = shapes.coordinates(20, 30)
    assert rows.shape == (20, 1) and columns.shape == (1, 30)
    assert float(rows[0, 0]) == -float(rows[-1, 0]) == pytest.approx(-9.5 / 20)
    step = np.hypot(np.diff(along, axis=1), np.diff(across, axis=1))  # Turned, not stretched.
    np.testing.assert_allclose(step, 1 / 20, rtol=1e-4)


def test_patches_are_rectangles_inside_the_image_anywhere_in_it():
    drawn = covers("patch", 40, 64, 2000) > 0
    rows, columns = drawn.any(2), drawn.any(1)
    heights, widths = rows.sum(1), columns.sum(1)
    np.testing.assert_array_equal(drawn.sum((1, 2)), heights * widths)
    assert (heights < 40).all() and (widths < 64).all() and (heights > 1).all() and (widths > 1).all()
    share = heights * widths / (40 * 64)
    assert 0.01 < share.min() < 0.03 and 0.13 < share.max() < 0.17
    assert (heights / widths).min() > 0.2 and (heights / widths).max() < 5
    for spans in (rows, columns):  # As much room above as below, left as right; both edges are touched.
        before, after = spans.argmax(1), spans[:, ::-1].argmax(1)
        assert scipy.stats.ks_2samp(before, after).pvalue > LIKELY
        assert before.min() == after.min() == 0


def test_log_uniform_is_uniform_in_the_logarithm():
    values = np.asarray(jax.vmap(lambda key: shapes.log_uniform(key, 0.5, 8.0))(keys(2000)))
    assert values.min() >= 0.5 and values.max() <= 8
    assert scipy.stats.kstest(np.log(values / 0.5) / np.log(16), "uniform").pvalue > LIKELY


def test_an_edge_is_a_ramp_of_its_width():
    inside = np.array([-9, -1, -0.5, 0, 0.5, 1, 9], np.float32)
    np.testing.assert_allclose(shapes.soft(inside, 2.0), [0, 0, 0.25, 0.5, 0.75, 1, 1])


def test_perlin_noise_is_smooth_vanishes_at_corners_of_cells_and_repeats():
    noise = jax.jit(shapes.perlin_noise)
    key, places = jax.random.key(0), np.linspace(-3, 3, 601, dtype=np.float32)
    x, y = np.meshgrid(places, places)
    values = np.asarray(noise(key, x, y))
    np.testing.assert_allclose(values[::100, ::100], 0, atol=1e-5)
    assert 0.5 < values.max() <= 1.001 and -1.001 <= values.min() < -0.5 and abs(values.mean()) < 0.1
    assert np.abs(np.diff(values, axis=0)).max() < 0.05 and np.abs(np.diff(values, axis=1)).max() < 0.05
    np.testing.assert_allclose(noise(key, x + shapes.CELLS, y - shapes.CELLS), values, atol=1e-4)
