"""Networks of features: encoder, decoder, critic, reader of attributes, feedback.

Features x [B, F] are what a frozen backbone makes of images, scaled to [0, 1] by the range of the training features.

Source: Narayan et al., "Latent Embedding Feedback and Discriminative Features for Zero-Shot Classification"
(TF-VAEGAN), ECCV 2020.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect.networks.blocks import DCGAN_INIT, l2_normalize

SLOPE = 0.2  # of the leaky rectifiers


class Encoder(nn.Module):
    """Anything [B, ...] -> hidden -> (mean, log variance) of a latent code, [B, latent] each."""

    hidden: int
    latent: int

    @nn.compact
    def __call__(self, *inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = nn.leaky_relu(nn.Dense(self.hidden, kernel_init=DCGAN_INIT)(jnp.concatenate(inputs, -1)), SLOPE)
        return tuple(jnp.split(nn.Dense(2 * self.latent, kernel_init=DCGAN_INIT)(h), 2, -1))


class Decoder(nn.Module):
    """Codes -> hidden -> the logits of features in [0, 1], [B, F]. `feedback` [B, hidden] adds to what is hidden."""

    hidden: int
    features: int

    @nn.compact
    def __call__(self, *inputs: jax.Array, feedback: jax.Array | float = 0.0) -> jax.Array:
        h = nn.leaky_relu(nn.Dense(self.hidden, kernel_init=DCGAN_INIT)(jnp.concatenate(inputs, -1)), SLOPE)
        return nn.Dense(self.features, kernel_init=DCGAN_INIT)(h + feedback)


class Critic(nn.Module):
    """(features, class embeddings) -> hidden -> [B] scores; the higher, the more real."""

    hidden: int

    @nn.compact
    def __call__(self, *inputs: jax.Array) -> jax.Array:
        h = nn.leaky_relu(nn.Dense(self.hidden, kernel_init=DCGAN_INIT)(jnp.concatenate(inputs, -1)), SLOPE)
        return nn.Dense(1, kernel_init=DCGAN_INIT)(h)[:, 0]


class Reader(nn.Module):
    """Features -> hidden -> the attributes they show. ([B, attributes], [B, hidden])."""

    hidden: int
    attributes: int
    unit_length: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = nn.leaky_relu(nn.Dense(self.hidden, kernel_init=DCGAN_INIT)(x), SLOPE)
        a = nn.Dense(self.attributes, kernel_init=DCGAN_INIT)(h)
        return l2_normalize(a) if self.unit_length else a, h


class Feedback(nn.Module):
    """What is hidden in the reader -> what is added to what is hidden in the decoder, [B, hidden] both."""

    hidden: int

    @nn.compact
    def __call__(self, h: jax.Array) -> jax.Array:
        for _ in range(2):
            h = nn.leaky_relu(nn.Dense(self.hidden, kernel_init=DCGAN_INIT)(h), SLOPE)
        return h
