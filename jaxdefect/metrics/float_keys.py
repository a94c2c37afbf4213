"""Whole numbers in the order of float32 scores: they can be counted, searched and split into halves exactly."""

import jax.numpy as jnp
import numpy as np
from jax import Array


def of_scores(scores: np.ndarray) -> np.ndarray:
    """uint32 [N] in the order of the float32 scores, -0 before +0. On the host."""
    bits = scores.ravel().view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(2**31))


def to_scores(keys: np.ndarray) -> np.ndarray:
    """The float32 scores of such keys: undoes `of_scores`."""
    return np.where(keys >> 31, keys & np.uint32(2**31 - 1), ~keys).view(np.float32)


def of_bits(bits: Array) -> Array:
    """int32 in the order of the float32 of these bits (int32), both zeros 0. On the device.

    XLA compares subnormal numbers as zero; their bits it does not.
    """
    return jnp.where(bits >= 0, bits, jnp.where(bits == -(2**31), 0, bits ^ 0x7FFFFFFF))
