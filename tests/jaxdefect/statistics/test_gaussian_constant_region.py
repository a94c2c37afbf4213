"""One Gaussian where something never varies in normal images: a dead channel, or the blank margin of a strip."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.detectors import feature_gaussian
from jaxdefect.statistics import gaussian

FLOOR = feature_gaussian.FLOOR


def fitted(features):
    """The sums over feature maps [B, H, W, F]."""
    return gaussian.update(gaussian.empty(features.shape[-1]), jnp.asarray(features, jnp.float32))


def distance(normal, features, **options):
    """Squared Mahalanobis distance, divided by F, of features [..., F]: [...]."""
    mean, white = gaussian.whitening(normal, **options)
    return np.mean(np.square((np.asarray(features, np.float32) - mean) @ white.T), -1)


def channels(seed, constant=0.0):
    """Features [4, 20, 30, 6], the last of which never varies."""
    features = np.random.default_rng(seed).normal(size=(4, 20, 30, 6)) * [1, 2, 0.5, 1, 3, 0]
    return features + [0, 0, 0, 0, 0, constant]


@pytest.mark.parametrize("constant", [0.0, 0.3, 40.0])
def test_a_channel_that_never_varied_does_not_decide_alone(constant):
    normal = fitted(channels(0, constant))
    usual = channels(1, constant)
    assert np.mean(distance(normal, usual, floor=FLOOR)) == pytest.approx(5 / 6, rel=0.05)
    rounded = usual + [0, 0, 0, 0, 0, 1e-4]  # Less than any of the others varies.
    np.testing.assert_allclose(distance(normal, rounded, floor=FLOOR), distance(normal, usual, floor=FLOOR), atol=0.01)
    fires = usual + [0, 0, 0, 0, 0, 1.0]  # As much as others vary: a defect, but a finite one.
    assert 10 < np.mean(distance(normal, fires, floor=FLOOR)) < 1e4
    assert np.mean(distance(normal, fires)) > 1e9  # What the floor is for.


def test_where_all_channels_vary_the_floor_changes_nothing():
    features = channels(0)[..., :5]
    (mean, white), (floored_mean, floored) = (gaussian.whitening(fitted(features), floor=share) for share in (0, FLOOR))
    np.testing.assert_array_equal(mean, floored_mean)
    np.testing.assert_array_equal(white, floored)


def strips(count, seed):
    """Images [count, 64, 96, 1] of a wavy strip of 64 columns, with a blank margin of 16 at each side."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    waves = [np.sin(x / 3 + rng.uniform(0, 6)) + np.cos(y / 4 + rng.uniform(0, 6)) for _ in range(count)]
    strip = 0.5 + 0.15 * np.stack(waves)[..., None] + rng.normal(0, 0.02, (count, 64, 64, 1))
    return jnp.asarray(np.pad(np.clip(strip, 0, 1), ((0, 0), (0, 0), (16, 16), (0, 0))), jnp.float32)


@pytest.fixture(scope="module")
def detector_and_state():
    """(detector with compiled functions, its state) on strips: a channel of this backbone is 0 all over three of them,
    and not quite all over others. With no floor they would score 10^9."""
    detector = feature_gaussian.make(
        backbone="small", backbone_width=8, weights="", stages=(0, 1), size=0, margin=8, channels=0, smoothing=0
    )
    state = detector.init(jax.random.key(2), None)
    state = detector.finalize(jax.jit(detector.calibrate)(state, strips(3, 0)))
    return detector._replace(score=jax.jit(detector.score)), state


def test_strips_with_a_blank_margin_score_about_one(detector_and_state):
    detector, state = detector_and_state
    scores = detector.score(state, strips(8, 1))
    assert 0.3 < float(jnp.mean(scores.map)) < 3
    assert float(jnp.max(scores.image)) < 30


@pytest.mark.parametrize(("top", "left"), [(20, 40), (30, 4)])  # on the strip, in the margin
def test_a_defect_on_the_strip_or_the_margin_stands_out(detector_and_state, top, left):
    detector, state = detector_and_state
    good = strips(1, 2)
    defective = good.at[0, top : top + 10, left : left + 10].set(1.0)
    usual, scores = float(detector.score(state, good).image[0]), detector.score(state, defective)
    row, column = np.unravel_index(np.asarray(scores.map[0]).argmax(), scores.map.shape[1:])
    assert top - 4 <= row < top + 14 and left - 4 <= column < left + 14
    assert 2 * usual < float(scores.image[0]) < 1e4
