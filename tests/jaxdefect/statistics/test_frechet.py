"""The Frechet distance against matrix roots in double precision, and against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxdefect.statistics import frechet


def features(seed, count, width, decay=3.0):
    """Correlated features whose directions differ in strength, as those of a network do."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(width, width)) * np.exp(-decay * np.arange(width) / width)
    return (rng.normal(size=(count, width)) @ mixing + rng.normal(size=width)).astype(np.float32)


def by_matrix_root(a, b):
    """The definition, in float64. Only for full rank: the root of a singular product is not accurate."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    s1, s2 = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    root = scipy.linalg.sqrtm(s1 @ s2).real
    return np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(s1 + s2 - 2 * root)


@pytest.mark.parametrize("count, width", [(200, 1), (50, 7), (300, 40), (961, 128)])
def test_it_is_the_definition_where_covariances_have_full_rank(count, width):
    a, b = features(0, count, width), features(1, count, width)
    np.testing.assert_allclose(frechet.distance(a, b), by_matrix_root(a, b), rtol=1e-5)


def test_double_precision_is_kept_where_it_is_enabled():
    a, b = features(0, 100, 20), features(1, 100, 20)
    with jax.enable_x64(True):
        found = frechet.distance(jnp.asarray(a, jnp.float64), jnp.asarray(b, jnp.float64))
        assert found.dtype == jnp.float64
        np.testing.assert_allclose(found, by_matrix_root(a, b), rtol=1e-11)


@pytest.mark.parametrize("count, width", [(225, 512), (9, 30), (2, 5), (30, 30)])
def test_fewer_samples_than_dimensions_are_exact(count, width):
    """In a rotated space of as few dimensions as there are samples the distance is the same, and of full rank."""
    a, b = features(0, count, width), features(1, count, width)
    both = np.concatenate([a, b]).astype(np.float64)
    centred = np.concatenate([part - part.mean(0) for part in np.split(both, 2)])
    a64, b64 = np.split(centred / np.sqrt(count - 1), 2)
    shared = np.linalg.svd(a64 @ b64.T, compute_uv=False).sum()
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.sum(a64**2) + np.sum(b64**2) - 2 * shared
    np.testing.assert_allclose(frechet.distance(a, b), expected, rtol=2e-5)


@pytest.mark.parametrize("count, width", [(100, 10), (10, 100)])
def test_a_set_is_at_no_distance_from_itself(count, width):
    a = features(0, count, width)
    assert 0 <= float(frechet.distance(a, a)) < 1e-5 * float(np.sum(np.square(a - a.mean(0)))) / (count - 1)


@pytest.mark.parametrize("count, width", [(100, 10), (10, 100)])
def test_it_is_symmetric(count, width):
    a, b = features(0, count, width), features(1, count, width)
    np.testing.assert_allclose(frechet.distance(a, b), frechet.distance(b, a), rtol=1e-5)


def test_covariances_that_commute_have_a_closed_form():
    """Sum of (s_i - t_i)^2 for standard deviations s and t along shared axes; and a shift adds its square."""
    base = features(0, 400, 6)
    white = (base - base.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(base, rowvar=False)).T)
    axes = scipy.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    s, t, shift = np.arange(1, 7), np.array([3.0, 1, 4, 1, 5, 9]), np.full(6, 0.5)
    a, b = (white * s) @ axes, (white * t) @ axes + shift
    expected = np.sum((s - t) ** 2) + np.sum(shift**2)
    np.testing.assert_allclose(
        frechet.distance(jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32)), expected, rtol=1e-4
    )


def test_images_are_measured_each_for_itself():
    pairs = [(features(seed, 40, 12), features(seed + 10, 40, 12)) for seed in range(3)]
    a, b = (np.stack(side) for side in zip(*pairs, strict=True))
    together = jax.jit(frechet.distance)(a, b)
    np.testing.assert_allclose(together, [frechet.distance(*pair) for pair in pairs], rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5])
def test_constant_features_differ_by_their_means_alone(value):
    flat = jnp.full((20, 8), value)
    assert float(frechet.distance(flat, flat)) == 0
    np.testing.assert_allclose(frechet.distance(flat, flat + 1), 8, rtol=1e-6)


def test_sets_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match=r"features of \(5, 3\) and \(6, 3\)"):
        frechet.distance(jnp.zeros((5, 3)), jnp.zeros((6, 3)))
    with pytest.raises(ValueError, match="N at least 2"):
        frechet.distance(jnp.zeros((1, 3)), jnp.zeros((1, 3)))
