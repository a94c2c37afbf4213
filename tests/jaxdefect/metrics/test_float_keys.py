"""Keys of scores are in the order of the scores, and give them back."""

import jax.numpy as jnp
import numpy as np

from jaxdefect.metrics import float_keys

SMALL = np.float32([0.0, 1e-45, 1e-38, 0.5, 1.0, 3e38, np.inf])
SCORES = np.unique(np.concatenate([-SMALL, SMALL]))


def test_keys_are_in_the_order_of_the_scores():
    assert (np.diff(float_keys.of_scores(SCORES).astype(np.int64)) > 0).all()
    assert (np.diff(np.asarray(float_keys.of_bits(jnp.asarray(SCORES.view(np.int32)))).astype(np.int64)) > 0).all()


def test_scores_come_back_bit_for_bit():
    assert np.array_equal(float_keys.to_scores(float_keys.of_scores(SCORES)).view(np.uint32), SCORES.view(np.uint32))


def test_both_zeros_are_one_on_the_device_and_two_on_the_host():
    zeros = np.float32([-0.0, 0.0])
    assert np.ptp(np.asarray(float_keys.of_bits(jnp.asarray(zeros.view(np.int32))))) == 0
    assert np.ptp(float_keys.of_scores(zeros).astype(np.int64)) == 1
