"""The range of each feature over the training images, by which features are scaled to [0, 1]."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxdefect import parallel

FAR = 1e30  # where a minimum and a maximum start from; finite, so that two states can be compared


class Range(NamedTuple):
    """Lowest and highest value so far of each feature, [F] each."""

    low: jax.Array
    high: jax.Array


def empty_range(features: int) -> Range:
    """Before any image."""
    return Range(jnp.full(features, FAR), jnp.full(features, -FAR))


def widen_range(span: Range, x: jax.Array, counted: jax.Array) -> Range:
    """The range with the features [B, F] of all devices for which `counted` [B] is not 0."""
    or_else = lambda value: jnp.where(counted[:, None] > 0, x, value)
    low, high = lax.pmin(jnp.min(or_else(FAR), 0), parallel.AXIS), lax.pmax(jnp.max(or_else(-FAR), 0), parallel.AXIS)
    return Range(jnp.minimum(span.low, low), jnp.maximum(span.high, high))


def scale_to_range(span: Range, x: jax.Array) -> jax.Array:
    """[B, F] in units of the range: training features in [0, 1], and others held there. NaN stays NaN."""
    width = span.high - span.low
    return jnp.clip((x - span.low) / jnp.where(width > 0, width, 1), 0, 1)
