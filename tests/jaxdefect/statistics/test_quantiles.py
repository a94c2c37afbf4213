"""Percentiles of values that are never kept."""

import jax.numpy as jnp
import numpy as np

from jaxdefect.statistics import quantiles


def test_a_percentile_of_the_histogram_is_that_of_the_values():
    values = np.random.default_rng(0).lognormal(-7, 2.5, (5, 200, 250)).astype(np.float32)
    counted = quantiles.empty()
    for part in (values[:2], values[2:]):
        counted = quantiles.update(counted, part)
    for q in (0.5, 10.0, 50.0, 95.0, 99.0, 99.9):
        np.testing.assert_allclose(quantiles.percentile(counted, q), np.percentile(values, q), rtol=6e-3)


def test_each_image_counts_as_one_whatever_its_size():
    counted = quantiles.update(quantiles.empty(), jnp.full((1, 40, 40), 0.5))
    counted = quantiles.update(counted, jnp.full((1, 4, 4), 0.01))
    np.testing.assert_allclose(quantiles.percentile(counted, 49.0), 0.01, rtol=6e-3)
    np.testing.assert_allclose(quantiles.percentile(counted, 51.0), 0.5, rtol=6e-3)


def test_percentiles_stay_within_the_values_at_both_ends_and_without_any():
    counted = quantiles.update(quantiles.empty(), jnp.asarray([[[0.0, 1e-12, 0.2, 50.0]]]))
    assert float(quantiles.percentile(counted, 0.0)) < quantiles.LOWEST
    assert float(quantiles.percentile(counted, 100.0)) == quantiles.HIGHEST
    assert float(quantiles.percentile(quantiles.empty(), 50.0)) == quantiles.HIGHEST
