"""The normal model against NumPy and scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import sklearn.neighbors

from jaxdefect.statistics import gaussian, neighbours


def images(seed=0, count=3):
    """Correlated features [count, 20, 30, 4] of very different scales."""
    x = jax.random.normal(jax.random.key(seed), (count, 20, 30, 4)) * jnp.array([1.0, 500, 0.001, 2]) + 3
    return x.at[..., 1].add(200 * x[..., 0])


def fitted(x, **options):
    state = gaussian.empty(4, **options)
    for image in x:
        state = gaussian.update(state, image[None])
    return state


def whitened(x):
    """As `gaussian.whiten` promises, in float64."""
    flat = np.asarray(x, np.float64).reshape(-1, 4)
    covariance = np.cov(flat.T, bias=True)
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / scale / scale[:, None] + gaussian.RIDGE * np.eye(4)
    return (flat - flat.mean(0)) @ (np.linalg.inv(np.linalg.cholesky(correlation)) / scale).T


def test_mahalanobis_is_that_of_numpy():
    x = images()
    expected = (whitened(x) ** 2).mean(1)
    np.testing.assert_allclose(gaussian.mahalanobis(fitted(x), x).ravel(), expected, rtol=2e-3, atol=1e-3)


def test_nearest_is_that_of_scikit_learn(monkeypatch):
    x = images()
    state = fitted(x, bank=50)
    query = np.asarray(gaussian.whiten(state, x)).reshape(-1, 4)
    bank = np.asarray(gaussian.whiten(state, state.bank))
    distance, _ = sklearn.neighbors.NearestNeighbors(n_neighbors=1).fit(bank).kneighbors(query)
    expected = distance[:, 0] ** 2 / 4
    np.testing.assert_allclose(gaussian.nearest(state, x).ravel(), expected, atol=1e-4)
    monkeypatch.setattr(neighbours, "AT_ONCE", 128)
    np.testing.assert_allclose(gaussian.nearest(state, x).ravel(), expected, atol=1e-4)


def test_the_bank_holds_pixels_of_all_images_alike():
    x = jnp.broadcast_to(jnp.arange(8.0)[:, None, None, None], (8, 5, 5, 4)) + 1
    bank = np.asarray(fitted(x, bank=4000).bank)[:, 0]
    counts = np.bincount(bank.astype(int), minlength=9)
    assert counts[0] == 0 and counts[1:].min() > 400 and counts[1:].max() < 600


def test_images_may_come_one_by_one_or_together():
    x = images()
    one, together = fitted(x), gaussian.update(gaussian.empty(4), x)
    np.testing.assert_allclose(gaussian.whitening(one)[1], gaussian.whitening(together)[1], rtol=1e-3, atol=1e-5)


def test_before_the_first_image_distances_are_finite():
    state = gaussian.empty(4, bank=3)
    assert bool(jnp.isfinite(gaussian.mahalanobis(state, images())).all())
    assert bool(jnp.isfinite(gaussian.nearest(state, images())).all())
