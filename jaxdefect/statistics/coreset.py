"""A few vectors that stand for many: an even sample, a greedy k-centre coreset of it, and the nearest of them.

Vectors are [N, F] float32; distances are Euclidean.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

EXACT = lax.Precision.HIGHEST  # Distances are differences of large sums; TF32 spoils them.
AT_ONCE = 4096  # rows compared with the whole bank at a time: 32 MB against 2000 vectors


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


def k_centres(vectors: jax.Array, count: int, *, known: jax.Array) -> jax.Array:
    """[count] int32: rows such that every known row of [M, F] has one of them near it.

    Greedy: first row 0, then always the row that is farthest from those taken, which is at most twice as bad as the
    best choice. known: [M] bool; once all known rows are taken, they are taken again. Costs count * M * F. Source:
    Gonzalez, 1985; Sener and Savarese, ICLR 2018; PatchCore, Algorithm 1.
    """

    def take(number, state):
        taken, gap = state
        farthest = jnp.argmax(jnp.where(known, gap, -1)).astype(jnp.int32)
        to_it = jnp.sum(jnp.square(vectors - vectors[farthest]), -1)
        return taken.at[number].set(farthest), jnp.minimum(gap, to_it)

    nothing = jnp.zeros(count, jnp.int32), jnp.full(len(vectors), jnp.inf)
    return lax.fori_loop(0, count, take, nothing)[0]


def nearest(rows: jax.Array, bank: jax.Array, *, known: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(distance [N] of each row [N, F] to the nearest known row of the bank [M, F], which one that is [N] int32).

    known: [M] bool; where no row is known, the distance is to row 0.
    """
    length = jnp.where(known | ~jnp.any(known), jnp.sum(jnp.square(bank), -1), jnp.inf)

    def compare(rows):
        apart = length - 2 * jnp.einsum("nf,mf->nm", rows, bank, precision=EXACT)
        which = jnp.argmin(apart, -1).astype(jnp.int32)
        return jnp.sqrt(jnp.sum(jnp.square(rows - bank[which]), -1)), which  # Again, without cancellation.

    if len(rows) <= AT_ONCE:
        return compare(rows)
    blocks = jnp.pad(rows, ((0, -len(rows) % AT_ONCE), (0, 0))).reshape(-1, AT_ONCE, rows.shape[-1])
    return jax.tree.map(lambda found: found.reshape(-1)[: len(rows)], lax.map(compare, blocks))
