"""The encoder and the decoder of MAA's generator, without what lies between them there.

Source: Niu, Li, Li, Qiu, Niu, "Positive-Sample-Based Surface Defect Detection Using Memory-Augmented Adversarial
Autoencoders", IEEE/ASME Transactions on Mechatronics, 2021: Table I.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect.networks.blocks import Conv, Deconv, batch_norm

FACTOR = 8  # by which the encoder shrinks a side


class Encoder(nn.Module):
    """[B, H, W, C] in [-1, 1] -> its features at full, half, quarter and eighth of the size, the last 16 * width."""

    width: int  # channels of the first layer; 16 in the paper

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, ...]:
        norm = lambda x: nn.relu(batch_norm(train=train)(x))
        x = norm(Conv(self.width, (1, 7), 1, None, bias=False)(images))
        scales = [norm(Conv(2 * self.width, (7, 1), 1, None, bias=False)(x))]
        for times in (4, 8, 16):
            scales.append(norm(Conv(times * self.width, 3, bias=False)(scales[-1])))
        return tuple(scales)


class Decoder(nn.Module):
    """[B, h, w, K] -> [B, 8 h, 8 w, channels] in [-1, 1]. skips: features of full, half and quarter size, or none."""

    width: int
    channels: int

    @nn.compact
    def __call__(self, code: jax.Array, skips: Sequence[jax.Array] = (), *, train: bool) -> jax.Array:
        norm = lambda x: nn.relu(batch_norm(train=train)(x))
        x, skips = code, list(skips)
        for times in (8, 4, 2):
            x = norm(Deconv(times * self.width, 3, bias=False)(x))
            x = jnp.concatenate([x, skips.pop()], -1) if skips else x
        x = norm(Conv(self.width, (7, 1), 1, None, bias=False)(x))
        return jnp.tanh(batch_norm(train=train)(Conv(self.channels, (1, 7), 1, None, bias=False)(x)))
