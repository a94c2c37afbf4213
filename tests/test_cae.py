"""CAE: percentiles of errors that are never kept, the share of pixels above them, and what a second loss changes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxdefect.detector import Batch
from jaxdefect.detectors import cae, cae_multiloss
from jaxdefect.losses import reconstruction
from jaxdefect.maps import residuals
from jaxdefect.parallel import on_one_device
from jaxdefect.statistics import quantiles
from jaxdefect.training import loop
from tests.steps import textures, tiny

IMAGES = np.stack(textures(4, 16)).astype(np.float32) / 255
compiled = lambda function: jax.jit(function, compiler_options=loop.quick_to_compile())


def scaled(tree, name: str, factor: float):
    """The leaves with this in their path, times a factor."""
    change = lambda path, leaf: factor * leaf if name in jax.tree_util.keystr(path) else leaf
    return jax.tree_util.tree_map_with_path(change, tree)


@pytest.fixture(scope="module")
def calibrated():
    """(detector, state): weights large enough to say something untrained, calibrated on all but the last image."""
    detector, _ = tiny("cae", percentile=90.0)
    state = compiled(detector.init)(jax.random.key(0), Batch(IMAGES))
    state = state._replace(player=state.player._replace(params=scaled(state.player.params, "kernel", 10)))
    fold = compiled(detector.calibrate)
    for image in IMAGES[:3]:
        state = fold(state, image[None])
    return detector, compiled(detector.finalize)(state)


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


def test_the_score_is_the_share_of_pixels_above_the_percentile_of_training_errors(calibrated):
    detector, state = calibrated
    scores = compiled(detector.score)(state, IMAGES)
    residual = np.square(IMAGES - np.asarray(scores.reconstruction)).mean(-1)
    filtered = np.stack([ndimage.uniform_filter(one, 3) for one in residual])
    np.testing.assert_allclose(scores.map, filtered, rtol=1e-3, atol=1e-7)
    limit = np.percentile(filtered[:3], 90)
    np.testing.assert_allclose(state.threshold, limit, rtol=2e-2)
    np.testing.assert_allclose(scores.image, (filtered > limit).mean((1, 2)), atol=3 / 256)
    assert np.mean(scores.image[:3]) == pytest.approx(0.1, abs=0.01)  # By what a percentile is.


def test_images_of_other_sizes_are_judged_at_the_size_of_the_network(calibrated):
    detector, state = calibrated
    large = jnp.repeat(jnp.repeat(IMAGES, 2, 1), 2, 2)  # Resized back, these are the same images.
    at_once, resized = (compiled(detector.score)(state, seen) for seen in (IMAGES, residuals.resize(large, 16, 16)))
    np.testing.assert_allclose(compiled(detector.score)(state, large).image, resized.image, atol=2 / 256)
    assert np.abs(at_once.image - resized.image).max() < 0.1


def test_the_code_is_all_the_decoder_sees():
    net = cae.Autoencoder(width=2, dense=16, latent=3)
    variables = compiled(lambda: net.init(jax.random.key(0), IMAGES, train=True))()
    dense = sorted(leaf["kernel"].shape for name, leaf in variables["params"].items() if name.startswith("Dense"))
    assert dense == [(3, 16), (16, 3), (16, 2 * 2 * 8), (2 * 2 * 8, 16)]
    loud = scaled(variables, "kernel", 10)
    speaks = compiled(lambda variables: jnp.ptp(net.apply(variables, IMAGES, train=False), 0).max())
    assert float(speaks(scaled(loud, "Dense_1", 0))) < 1e-6 < 1e-4 < float(speaks(loud))


def test_two_losses_are_their_weighted_sum_and_of_weight_none_the_first_alone():
    small = {"dense": 4, "latent": 2, "width": 1}
    one, config = tiny("cae", **small)
    state = compiled(one.init)(jax.random.key(0), Batch(IMAGES))
    other = lambda weight: cae_multiloss.make(weight=weight, **config.settings)
    stepped = compiled(on_one_device(lambda weight: other(weight).step(state, Batch(IMAGES), jax.random.key(1))))
    plain, alone = compiled(on_one_device(lambda: one.step(state, Batch(IMAGES), jax.random.key(1))))()
    first, weightless = stepped(0.0)
    np.testing.assert_allclose(alone["loss"], weightless["loss"], rtol=1e-6)
    for a, b in zip(*map(jax.tree.leaves, (plain.player.params, first.player.params)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    _, both = stepped(0.5)
    np.testing.assert_allclose(both["loss"], both["mse"] + 0.5 * both["ssim_loss"], rtol=1e-6)
    assert float(both["ssim_loss"]) > float(both["mse"])


def test_the_objective_of_cae_is_the_mean_squared_error():
    metrics = cae.mean_squared(IMAGES * 0.5, IMAGES)
    np.testing.assert_allclose(metrics["loss"], reconstruction.mse(IMAGES * 0.5, IMAGES))
    np.testing.assert_allclose(metrics["mse"], np.square(IMAGES * 0.5).mean(), rtol=1e-5)


def test_settings_that_cannot_be_are_refused_by_name():
    with pytest.raises(ValueError, match=r"settings\.size = 20 .* such as 16 or 24"):
        tiny("cae", size=20)
    with pytest.raises(ValueError, match=r"settings\.box = 4"):
        tiny("cae", box=4)
    with pytest.raises(ValueError, match=r"settings\.decay_every = 0"):
        tiny("cae", decay_every=0)
    with pytest.raises(ValueError, match=r"settings\.size = 8 .* windows of 11"):
        tiny("cae_multiloss", size=8)
    with pytest.raises(ValueError, match=r"16 x 16 pixels \(train\.patch\), but settings\.size = 32"):
        tiny("cae", size=32)[0].init(jax.random.key(0), Batch(IMAGES))
