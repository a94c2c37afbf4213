"""CAE: the share of pixels above a percentile of training errors, and what the decoder sees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxdefect.detector import Batch
from jaxdefect.detectors import cae
from jaxdefect.losses import reconstruction
from jaxdefect.maps import residuals
from jaxdefect.training import loop
from tests.contract.steps import textures, tiny

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
