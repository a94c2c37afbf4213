"""The share of pixels above a percentile of training errors, of the detector CAE."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxdefect.detector import Batch
from jaxdefect.maps import residuals
from jaxdefect.training import loop
from tests.contract.steps import tiny
from tests.jaxdefect.families.loud_networks import IMAGES, scaled


@pytest.fixture(scope="module")
def calibrated():
    """(score, state): weights large enough to say something untrained, calibrated on all but the last image."""
    detector, _ = tiny("cae", percentile=90.0)
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(IMAGES))
    state = state._replace(player=state.player._replace(params=scaled(state.player.params, "kernel", 10)))
    fold = loop.jit_once(detector.calibrate)
    for image in IMAGES[:3]:
        state = fold(state, image[None])
    return loop.jit_once(detector.score), loop.jit_once(detector.finalize)(state)


def test_the_score_is_the_share_of_pixels_above_the_percentile_of_training_errors(calibrated):
    score, state = calibrated
    scores = score(state, IMAGES)
    residual = np.square(IMAGES - np.asarray(scores.reconstruction)).mean(-1)
    filtered = np.stack([ndimage.uniform_filter(one, 3) for one in residual])
    np.testing.assert_allclose(scores.map, filtered, rtol=1e-3, atol=1e-7)
    limit = np.percentile(filtered[:3], 90)
    np.testing.assert_allclose(state.threshold, limit, rtol=2e-2)
    np.testing.assert_allclose(scores.image, (filtered > limit).mean((1, 2)), atol=3 / 256)
    assert np.mean(scores.image[:3]) == pytest.approx(0.1, abs=0.01)  # By what a percentile is.


def test_images_of_other_sizes_are_judged_at_the_size_of_the_network(calibrated):
    score, state = calibrated
    large = jnp.repeat(jnp.repeat(IMAGES, 2, 1), 2, 2)  # Resized back, these are the same images.
    at_once, resized = score(state, IMAGES), score(state, residuals.resize(large, 16, 16))
    np.testing.assert_allclose(score(state, large).image, resized.image, atol=2 / 256)
    assert np.abs(at_once.image - resized.image).max() < 0.1


def test_training_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"16 x 16 pixels \(train\.patch\), but settings\.size = 32"):
        tiny("cae", size=32)[0].init(jax.random.key(0), Batch(IMAGES))
