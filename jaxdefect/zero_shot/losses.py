"""Losses of zero-shot classifiers, per sample.

Sources: Narayan et al., "Latent Embedding Feedback and Discriminative Features for Zero-Shot Classification"
(TF-VAEGAN), ECCV 2020; the class embeddings of DAGM_MIX.
"""

import jax
import jax.numpy as jnp
import optax
from jax import lax


def cross_entropy(logits: jax.Array, x: jax.Array) -> jax.Array:
    """Binary cross-entropy [B] of features x [B, F] in [0, 1] and their reconstruction, summed over features."""
    return jnp.sum(optax.sigmoid_binary_cross_entropy(logits, x), -1)


def squared(values: jax.Array, wanted: jax.Array) -> jax.Array:
    """Mean squared error over attributes or features, [B]. Eq. 4 of the DAGM_MIX paper."""
    return jnp.mean(jnp.square(values - wanted), -1)


def weighted_l1(values: jax.Array, wanted: jax.Array) -> jax.Array:
    """TF-VAEGAN's error of attributes, [B]: L1 in which larger differences weigh more."""
    difference = values - wanted
    square = jnp.square(difference)
    weight = square * lax.rsqrt(jnp.sum(square, -1, keepdims=True) + 1e-12)
    return jnp.sum(weight * jnp.abs(difference), -1)


def adapted_penalty(penalty: jax.Array, mean: jax.Array) -> jax.Array:
    """TF-VAEGAN's weight of the gradient penalty after a step in which the penalty was `mean` on average."""
    return penalty * jnp.where(mean > 1.05, 1.1, jnp.where(mean < 1.001, 1 / 1.1, 1.0))
