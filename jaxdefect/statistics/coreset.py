"""A few vectors that stand for many: an even sample, a greedy k-centre coreset of it, and the nearest of them.

Vectors are [N, F] float32; distances are Euclidean.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxdefect.statistics.neighbours import compare_with_bank


class Reservoir(NamedTuple):
    """Vectors drawn evenly, without replacement, from all that were seen. Rows that nothing was drawn for are last."""

    images: jax.Array  # [] int32 seen
    priority: jax.Array  # [M] in [0, 1), falling; -1 where the row is empty
    vectors: jax.Array  # [M, F]


def reservoir(count: int, features: int) -> Reservoir:
    """Before the first image: room for `count` vectors."""
    return Reservoir(jnp.zeros((), jnp.int32), jnp.full(count, -1.0), jnp.zeros((count, features)))


def update(sample: Reservoir, cells: jax.Array) -> Reservoir:
    """Adds the cells [B, h, w, F] of images.

    Each vector draws a random priority, and the highest stay: an even sample of all vectors, whatever the sizes of the
    images. What an image draws depends on its place in the order alone, so that batches may be cut anyhow.
    """
    batch, height, width, features = cells.shape
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(0), sample.images + jnp.arange(batch))
    drawn = jax.vmap(lambda key: jax.random.uniform(key, (height * width,)))(keys)
    priority, kept = lax.top_k(jnp.concatenate([sample.priority, drawn.ravel()]), len(sample.priority))
    vectors = jnp.concatenate([sample.vectors, cells.reshape(-1, features)])[kept]
    return Reservoir(sample.images + batch, priority, vectors)


def k_centres(vectors: jax.Array, count: int, *, filled: jax.Array) -> jax.Array:
    """[count] int32: rows such that every filled row of [M, F] has one of them near it.

    Greedy: first row 0, then always the row that is farthest from those taken, which is at most twice as bad as the
    best choice. filled: [M] bool; once all filled rows are taken, they are taken again. Costs count * M * F. Source:
    Gonzalez, 1985; Sener and Savarese, ICLR 2018; PatchCore, Algorithm 1.
    """

    def take(number, state):
        taken, gap = state
        farthest = jnp.argmax(jnp.where(filled, gap, -1)).astype(jnp.int32)
        to_it = jnp.sum(jnp.square(vectors - vectors[farthest]), -1)
        return taken.at[number].set(farthest), jnp.minimum(gap, to_it)

    nothing = jnp.zeros(count, jnp.int32), jnp.full(len(vectors), jnp.inf)
    return lax.fori_loop(0, count, take, nothing)[0]


def nearest(rows: jax.Array, bank: jax.Array, *, filled: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(distance [N] of each row [N, F] to the nearest filled row of the bank [M, F], the number of that row [N] int32).

    filled: [M] bool; where no row is filled, the distance is to row 0.
    """

    def summarise(rows, distances):
        place = jnp.argmin(distances, -1).astype(jnp.int32)
        return jnp.sqrt(jnp.sum(jnp.square(rows - bank[place]), -1)), place  # Again, without cancellation.

    return compare_with_bank(rows, bank, summarise, filled=filled)
