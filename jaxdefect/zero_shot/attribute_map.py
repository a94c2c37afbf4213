"""From annotated attributes to learned class embeddings, for classes of which there are no images.

Learned embeddings lie elsewhere than the attributes they began from: beside them, the annotated attributes of an
unseen class mean nothing to a decoder. Ridge regression over the seen classes, of which both are known, says where
those of unseen ones would lie.
"""

import jax
import jax.numpy as jnp

from jaxdefect.networks.blocks import l2_normalize


def map_attributes(table: jax.Array, learned: jax.Array, seen: jax.Array, ridge: float | jax.Array) -> jax.Array:
    """[K, A] of unit length: what the attributes `table` [K, A] of all classes become.

    learned: [K, A], of which the rows of seen classes count. seen: bool [K]. ridge: weight of the penalty beside the
    squared error summed over classes and the squared attributes of unit length; near 0 seen classes are met exactly.
    """
    weight = seen.astype(table.dtype)[:, None]
    centre = lambda rows: jnp.sum(rows * weight, 0) / jnp.maximum(jnp.sum(weight), 1)
    inputs, wanted = table - centre(table), (learned - centre(learned)) * weight
    known = inputs * weight
    # In the dual form: there are fewer classes than attributes. Unseen classes have rows of zeros, and no share.
    gram = known @ known.T + (ridge + 1e-6) * jnp.eye(len(table))
    shares = jnp.linalg.solve(gram, wanted)
    return l2_normalize(centre(learned) + inputs @ known.T @ shares)
