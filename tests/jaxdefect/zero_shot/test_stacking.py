"""Calibrated stacking: gamma lets just the set share of seen images be named unseen."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect import parallel
from jaxdefect.zero_shot import stacking

SEEN = jnp.array([True, True, True, False, False])
COUNTED = parallel.on_one_device(stacking.count_margins)


def logits_of(count, seed=0):
    return np.random.default_rng(seed).normal(0, 3, (count, 5)).astype(np.float32) + np.float32([6, 6, 6, 0, 0])


def histogram(logits, counted=None):
    ones = jnp.ones(len(logits))
    return COUNTED(stacking.empty_margins(), jnp.asarray(logits), SEEN, ones if counted is None else counted)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05, 0.5])
def test_no_more_than_the_share_is_named_unseen_and_one_bin_more_would_name_more(share):
    logits = logits_of(4000)
    gamma = float(stacking.gamma(histogram(logits), share))
    named = lambda gamma: np.mean(np.argmax(logits - gamma * np.asarray(SEEN), 1) >= 3)
    unmoved = named(0)
    assert named(gamma) <= max(share, unmoved)
    if gamma > 0:
        assert share - 0.02 < named(gamma) and named(gamma + stacking.WIDTH * 1.01) > share


def test_gamma_never_favours_seen_classes_and_is_0_before_any_image():
    assert float(stacking.gamma(stacking.empty_margins(), 0.05)) == 0
    assert float(stacking.gamma(histogram(logits_of(100) - np.float32([20, 20, 20, 0, 0])), 0.05)) == 0


def test_margins_are_counted_over_batches_as_over_all_images_and_some_count_nowhere():
    logits, counted = logits_of(60), jnp.asarray([1.0, 0.0] * 30)
    both = COUNTED(histogram(logits[:20]), jnp.asarray(logits[20:]), SEEN, jnp.ones(40))
    np.testing.assert_array_equal(both, histogram(logits))
    np.testing.assert_array_equal(histogram(logits, counted), histogram(logits[::2]))
    logits[3] = np.nan
    assert histogram(logits).sum() == 59


def test_margins_beyond_the_histogram_are_counted_at_its_ends():
    far = histogram(np.float32([[1e6, 0, 0, 0, 0], [-1e6, -1e6, -1e6, 0, 0]]))
    assert far[0] == far[-1] == 1 and far.sum() == 2
