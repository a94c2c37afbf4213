"""Samples are even, centres those of brute force, distances those of scipy."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial.distance as distances

from jaxdefect.statistics import coreset, neighbours
from tests.jaxdefect.statistics.brute_force import greedy

ALL = jnp.ones(1, bool)


def test_the_sample_holds_vectors_of_all_images_alike_and_none_twice():
    sample = coreset.reservoir(300, 1)
    for number, side in enumerate((10, 20, 30)):  # 100, 400 and 900 cells
        sample = coreset.update(sample, number * 1000.0 + jnp.arange(side**2).reshape(1, side, side, 1))
    found = np.asarray(sample.vectors)[:, 0]
    assert len(set(found)) == 300
    shares = np.bincount((found // 1000).astype(int)) / 300
    np.testing.assert_allclose(shares, np.array([100, 400, 900]) / 1400, atol=0.06)


def test_a_sample_that_is_not_full_holds_everything():
    sample = coreset.update(coreset.reservoir(30, 1), jnp.arange(16.0).reshape(1, 4, 4, 1))
    filled = np.asarray(sample.priority) >= 0
    assert sorted(np.asarray(sample.vectors)[filled, 0]) == list(range(16)) and filled[:16].all()


def test_the_centres_are_those_of_brute_force():
    vectors = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    found = coreset.k_centres(jnp.asarray(vectors), 40, filled=ALL)
    assert list(found) == greedy(vectors, 40)


def test_centres_come_from_filled_rows_alone():
    vectors = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    vectors[30:] *= 100
    found = coreset.k_centres(jnp.asarray(vectors), 35, filled=jnp.arange(50) < 30)
    assert set(found[:30].tolist()) == set(range(30)) and max(found.tolist()) < 30


@pytest.mark.parametrize("at_once", [neighbours.AT_ONCE, 64])
def test_nearest_is_that_of_scipy(monkeypatch, at_once):
    monkeypatch.setattr(neighbours, "AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    rows, bank = (rng.normal(20, 1, (count, 7)).astype(np.float32) for count in (150, 40))
    filled = np.arange(40) < 25
    apart = distances.cdist(rows, bank[filled])
    found, which = coreset.nearest(jnp.asarray(rows), jnp.asarray(bank), filled=jnp.asarray(filled))
    np.testing.assert_allclose(found, apart.min(1), rtol=1e-5)
    np.testing.assert_array_equal(which, apart.argmin(1))
