"""DCGAN's halves: maps that double in channels as they halve in size, down to 4 x 4 pixels and a vector, and back.

Images are [B, S, S, C] in [-1, 1], S a power of two from 8 on; vectors [B, latent].

Source: Radford, Metz, Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks", ICLR 2016.
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect.networks.blocks import DCGAN_INIT, Conv, Deconv, batch_norm, spectral

SLOPE = 0.2  # of the LeakyReLUs, Section 3
SIDE = 4  # pixels a side of the innermost map


def norm_init(key: jax.Array, shape: Sequence[int], dtype: jnp.dtype = jnp.float32) -> jax.Array:
    """N(1, 0.02), what DCGAN's code draws the scales of its batch norms from."""
    return 1 + DCGAN_INIT(key, shape, dtype)


def widths(size: int, width: int, cap: int) -> tuple[int, ...]:
    """Channels of each map from size / 2 down to 4 pixels a side: doubling from `width` on, `cap` at most."""
    return tuple(min(width * 2**level, cap) for level in range((size // SIDE).bit_length() - 1))


def check_size(size: int) -> None:
    """Raises ValueError unless images of this side can be halved down to 4 pixels."""
    if size < 2 * SIDE or size & (size - 1):
        near = max(2 * SIDE, 1 << (size.bit_length() - 1) if size > 0 else 0)
        raise ValueError(f"settings.size = {size} pixels; the networks halve it down to {SIDE}: use a power of two "
                         f"such as {near} or {2 * near}")  # fmt: skip


class Down(nn.Module):
    """Stride-2 convolutions, batch norms (none after the first) and LeakyReLUs: halves [B, H, W, C] at each width."""

    widths: Sequence[int]
    kernel: int = 4  # pixels
    slope: float = SLOPE
    scale_init: Callable = norm_init
    spectral: bool = False  # spectral in place of batch normalisation, for a discriminator

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        for level, width in enumerate(self.widths):
            norm = batch_norm(train=train, scale_init=self.scale_init) if level and not self.spectral else None
            conv = Conv(width, self.kernel, padding=(self.kernel - 1) // 2, bias=norm is None)
            x = spectral(conv, use=self.spectral, train=train)(x)
            x = nn.leaky_relu(norm(x) if norm else x, self.slope)
        return x


class Up(nn.Module):
    """Stride-2 transposed convolutions, batch norms and ReLUs; then one to `channels` and a tanh: doubles each time."""

    widths: Sequence[int]  # of all but the last
    channels: int
    kernel: int = 4  # pixels
    scale_init: Callable = norm_init

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        for width in self.widths:
            x = Deconv(width, self.kernel, bias=False)(x)
            x = nn.relu(batch_norm(train=train, scale_init=self.scale_init)(x))
        return jnp.tanh(Deconv(self.channels, self.kernel)(x))


class Encoder(nn.Module):
    """[B, S, S, C] -> (vectors [B, latent], features [B, 4, 4, C'] before the last convolution).

    With latent = 1 it is a discriminator: its logits are [B, 1].
    """

    latent: int
    width: int  # channels of the first map; 64 in DCGAN
    cap: int = 512  # channels at most
    slope: float = SLOPE
    scale_init: Callable = norm_init
    spectral: bool = False  # as in `Down`

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        down = Down(
            widths(images.shape[1], self.width, self.cap),
            slope=self.slope,
            scale_init=self.scale_init,
            spectral=self.spectral,
        )
        features = down(images, train=train)
        logits = spectral(Conv(self.latent, SIDE, 1, 0), use=self.spectral, train=train)(features)
        return logits[:, 0, 0], features


class Decoder(nn.Module):
    """Vectors [B, latent] -> images [B, size, size, channels] in [-1, 1]: the encoder mirrored."""

    size: int  # pixels a side, a power of two from 8 on
    channels: int
    width: int  # channels of the outermost map; 64 in DCGAN's terms
    cap: int = 512  # channels at most
    scale_init: Callable = norm_init

    @nn.compact
    def __call__(self, latent: jax.Array, *, train: bool) -> jax.Array:
        inner, *outer = reversed(widths(self.size, self.width, self.cap))
        # A 4 x 4 transposed convolution of one pixel is a matrix product.
        x = nn.Dense(SIDE * SIDE * inner, use_bias=False, kernel_init=DCGAN_INIT)(latent)
        x = x.reshape(-1, SIDE, SIDE, inner)
        x = nn.relu(batch_norm(train=train, scale_init=self.scale_init)(x))
        return Up(outer, self.channels, scale_init=self.scale_init)(x, train=train)
