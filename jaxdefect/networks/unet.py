"""U-Net: an encoder and a decoder, joined at every scale or not. Features are [B, H, W, C]."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect.networks.blocks import Conv, ConvNorm
from jaxdefect.networks.convolution import max_pool

XAVIER = nn.initializers.glorot_uniform()


class UNet(nn.Module):
    """[B, H, W, C] -> [B, H, W, outputs], without an activation at its end. H and W are multiples of `multiple`.

    widths: channels at each scale, the finest first; each is half as large as the one before. depth: convolutions of
    3 x 3 pixels at each scale of the encoder and of the decoder. skip: whether the decoder sees the encoder's features
    of its scale.
    """

    widths: Sequence[int]
    outputs: int
    depth: int = 2
    skip: bool = True

    @property
    def multiple(self) -> int:
        return 2 ** (len(self.widths) - 1)

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        scales = []
        for level, width in enumerate(self.widths):
            x = x if level == 0 else max_pool(x)
            for _ in range(self.depth):
                x = ConvNorm(width, 3)(x, train=train)
            scales.append(x)
        for width, features in zip(self.widths[-2::-1], scales[-2::-1], strict=True):
            x = twice(ConvNorm(width, 3)(x, train=train))
            x = jnp.concatenate([x, features], -1) if self.skip else x
            for _ in range(self.depth):
                x = ConvNorm(width, 3)(x, train=train)
        return Conv(self.outputs, 1, 1, 0, XAVIER)(x)


def twice(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> [B, 2H, 2W, C]: each value four times."""
    return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)
