"""Rows compared with a bank of vectors: squared distances by one matrix product, in blocks that fit in memory."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

EXACT = lax.Precision.HIGHEST  # Distances are differences of large sums; TF32 spoils them.
AT_ONCE = 4096  # rows compared with the whole bank at a time: 32 MB against 2000 vectors


def compare_with_bank(
    rows: jax.Array,
    bank: jax.Array,
    summarise: Callable[[jax.Array, jax.Array], Any],
    *,
    filled: jax.Array | None = None,
) -> Any:
    """What `summarise` makes of the distances of rows [N, F] to the vectors of a bank [M, F]: a tree of [N].

    summarise: (rows [n, F], squared distances [n, M] less the square of each row) -> a tree of [n], of at most AT_ONCE
    rows at a time. filled: [M] bool, the places of the bank that hold a vector, all without it; to the others a
    distance is infinite, unless none is filled.
    """
    squares = jnp.sum(jnp.square(bank), -1)
    if filled is not None:
        squares = jnp.where(filled | ~jnp.any(filled), squares, jnp.inf)

    def of_block(block: jax.Array) -> Any:
        return summarise(block, squares - 2 * jnp.einsum("nf,mf->nm", block, bank, precision=EXACT))

    if len(rows) <= AT_ONCE:
        return of_block(rows)
    blocks = jnp.pad(rows, ((0, -len(rows) % AT_ONCE), (0, 0))).reshape(-1, AT_ONCE, rows.shape[-1])
    return jax.tree.map(lambda leaf: leaf.reshape(-1)[: len(rows)], lax.map(of_block, blocks))
