"""Residuals, and filters against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from jaxdefect.maps import residuals as residual_maps


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
