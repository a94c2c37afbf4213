"""Calibrated stacking: what is taken off the logits of seen classes, so that unseen ones are named at all.

A classifier that learns seen classes from images and unseen ones from drawn features names seen ones too often, though
it ranks them well. Its margin [B] is the best logit of a seen class less the best of an unseen one; gamma, taken off
the logits of seen classes, is the margin below which a given share of the training images of seen classes lies. No
image of an unseen class is asked.

Source: Chao, Changpinyo, Gong, Sha, "An Empirical Study and Analysis of Generalized Zero-Shot Learning for Object
Recognition in the Wild", ECCV 2016 (where gamma is swept, not chosen).
"""

import jax
import jax.numpy as jnp
from jax import lax

from jaxdefect import parallel

BINS, REACH = 4000, 100.0  # of the histogram of margins: from -REACH to REACH, in logits
WIDTH = 2 * REACH / BINS


def empty_margins() -> jax.Array:
    """The histogram [BINS] before any image."""
    return jnp.zeros(BINS)


def count_margins(counts: jax.Array, logits: jax.Array, seen: jax.Array, counted: jax.Array) -> jax.Array:
    """The histogram with the margins of the logits [B, K] of all devices for which `counted` [B] is not 0.

    seen: bool [K]. Margins beyond the histogram are counted at its ends; NaN are counted nowhere.
    """
    best = lambda which: jnp.max(jnp.where(which, logits, -jnp.inf), -1)
    margins = best(seen) - best(~seen)
    place = jnp.clip(jnp.floor((margins + REACH) / WIDTH), 0, BINS - 1)
    counted = jnp.where(jnp.isnan(margins), 0, counted)
    return counts + lax.psum(jnp.zeros(BINS).at[place.astype(jnp.int32)].add(counted), parallel.AXIS)


def gamma(counts: jax.Array, share: float | jax.Array) -> jax.Array:
    """The largest gamma, to the width of a bin, below which no more than `share` of the margins lie.

    It is never below 0, which would favour seen classes, and 0 where nothing was counted.
    """
    below = jnp.cumsum(counts) - counts  # how many lie below the lower edge of each bin
    last = jnp.sum(below <= share * jnp.sum(counts)) - 1
    return jnp.where(jnp.sum(counts) > 0, jnp.maximum(last * WIDTH - REACH, 0), 0.0)
