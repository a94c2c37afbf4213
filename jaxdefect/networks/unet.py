"""U-Net: an encoder and a decoder, joined at every scale or not. Features are [B, H, W, C]."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect.maps.residuals import pad_to_multiple
from jaxdefect.networks.blocks import Conv, ConvNorm
from jaxdefect.networks.convolution import max_pool

XAVIER = nn.initializers.glorot_uniform()


class UNet(nn.Module):
    """[B, H, W, C] -> [B, H, W, outputs], without an activation at its end, of any size: it is mirrored beyond its
    lower and right border until it can be halved at each scale.

    widths: channels at each scale, the finest first; each is half as large as the one before. depth: convolutions of
    3 x 3 pixels at each scale of the encoder and of the decoder. skip: whether the decoder sees the encoder's features
    of its scale.
    """

    widths: Sequence[int]
    outputs: int
    depth: int = 2
    skip: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        height, width = x.shape[1:3]
        x = pad_to_multiple(x, 2 ** (len(self.widths) - 1))
        scales = []
        for level, channels in enumerate(self.widths):
            x = x if level == 0 else max_pool(x)
            for _ in range(self.depth):
                x = ConvNorm(channels, 3)(x, train=train)
            scales.append(x)
        for channels, features in zip(self.widths[-2::-1], scales[-2::-1], strict=True):
            x = twice(ConvNorm(channels, 3)(x, train=train))
            x = jnp.concatenate([x, features], -1) if self.skip else x
            for _ in range(self.depth):
                x = ConvNorm(channels, 3)(x, train=train)
        return Conv(self.outputs, 1, 1, 0, XAVIER)(x)[:, :height, :width]


def twice(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> [B, 2H, 2W, C]: each value four times."""
    return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)
