"""Percentiles of more values than fit in memory: a histogram whose bins are equally wide on a logarithmic scale.

Values are errors, none negative; whatever their size, a percentile is known to within a bin, .5 % of itself.
"""

import jax
import jax.numpy as jnp
import numpy as np

LOWEST, HIGHEST = 1e-10, 10.0  # Below lies one bin that begins at 0; what is above counts as the highest.
PER_DECADE = 500  # bins
BINS = 1 + round(np.log10(HIGHEST / LOWEST)) * PER_DECADE
EDGES = np.concatenate([[0], np.geomspace(LOWEST, HIGHEST, BINS)]).astype(np.float32)


def empty() -> jax.Array:
    """[BINS], before the first image."""
    return jnp.zeros(BINS)


def update(histogram: jax.Array, maps: jax.Array) -> jax.Array:
    """Counts the pixels of maps [B, H, W]. Each image counts as one, whatever its size."""
    place = 1 + jnp.floor(jnp.log10(jnp.maximum(maps, LOWEST) / LOWEST) * PER_DECADE).astype(jnp.int32)
    place = jnp.where(maps < LOWEST, 0, jnp.clip(place, 1, BINS - 1))
    counts = jnp.zeros(BINS).at[place.ravel()].add(1)  # Of whole numbers, so that their order does not matter.
    return histogram + counts / (maps.shape[1] * maps.shape[2])


def percentile(histogram: jax.Array, q: float | jax.Array) -> jax.Array:
    """What q % of the pixels do not exceed; linear within a bin. HIGHEST where nothing was counted. q may be a tracer.

    As `numpy.percentile(errors, q)` of all pixels of images of one size.
    """
    counted = jnp.cumsum(histogram)
    target = jnp.clip(q / 100, 0, 1) * counted[-1]
    place = jnp.argmax((counted >= target) & (counted > 0))
    here = histogram[place]
    share = jnp.clip((target - (counted[place] - here)) / jnp.maximum(here, 1e-30), 0, 1)
    low, high = jnp.asarray(EDGES)[place], jnp.asarray(EDGES)[place + 1]
    return jnp.where(counted[-1] > 0, low + share * (high - low), HIGHEST)
