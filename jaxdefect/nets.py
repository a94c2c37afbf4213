"""Shared linen blocks. Features are [B, H, W, C]; kernels [k, k, in, out]; k is odd."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxdefect import parallel

BN_MOMENTUM, BN_EPSILON = 0.9, 1e-5


def conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution with stride 1 and zero padding to the same size."""
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def phase_taps(size: int) -> np.ndarray:
    """[2, offsets]: which tap of a 1-D stride-2 transposed kernel meets input `i + offset` at output `2 i + phase`.

    A value of `size` means none. lax.conv_transpose with SAME padding shifts the kernel by ceil(size / 2) pixels, but a
    kernel of one pixel not at all.
    """
    before = 0 if size == 1 else -(-size // 2)
    reach = size // 4 + 1
    taps = np.full((2, 2 * reach + 1), size)
    for phase in range(2):
        for tap in range(size):
            offset, odd = divmod(phase + tap - before, 2)
            if not odd:
                taps[phase, offset + reach] = tap
    return taps


def deconv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Transposed convolution with stride 2, [B, H, W, C] -> [B, 2H, 2W, C'].

    Equal to `lax.conv_transpose(x, kernel, (2, 2), "SAME")`, as one small convolution to all four output phases and a
    depth-to-space: XLA computes strided transposed convolutions on CPU 4-10x slower than this.
    """
    size = kernel.shape[0]
    taps = phase_taps(size)
    none = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))  # Row and column `size` are zeros.
    phases = none[taps[:, None, :, None], taps[None, :, None, :]]  # [2, 2, offsets, offsets, in, out]
    phases = phases.transpose(2, 3, 4, 0, 1, 5)
    y = conv(x, phases.reshape(*phases.shape[:3], -1))
    batch, height, width, _ = y.shape
    y = y.reshape(batch, height, width, 2, 2, kernel.shape[-1])
    return y.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height, 2 * width, -1)


def blocks(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> [B, H/2, W/2, C, 4]: the pixels of each 2 x 2 block."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return x.transpose(0, 1, 3, 5, 2, 4).reshape(batch, height // 2, width // 2, channels, 4)


def max_pool(x: jax.Array) -> jax.Array:
    """2 x 2 max-pooling. Its gradient is 4-8x faster on CPU than that of a windowed reduction."""
    top, bottom = x[:, ::2], x[:, 1::2]
    rows = jnp.maximum(top, bottom)
    return jnp.maximum(rows[:, :, ::2], rows[:, :, 1::2])


def max_places(x: jax.Array) -> jax.Array:
    """[B, H/2, W/2, C, 4] one-hot: where in its 2 x 2 block each maximum was (the first, if several)."""
    return jax.nn.one_hot(jnp.argmax(blocks(x), axis=-1), 4, dtype=x.dtype)


def max_unpool(x: jax.Array, places: jax.Array) -> jax.Array:
    """Puts each value back where `max_places` says it came from; zeros elsewhere. [B, H, W, C] -> [B, 2H, 2W, C]."""
    batch, height, width, channels = x.shape
    spread = (x[..., None] * places).reshape(batch, height, width, channels, 2, 2)
    return spread.transpose(0, 1, 4, 2, 5, 3).reshape(batch, 2 * height, 2 * width, channels)


class ConvNorm(nn.Module):
    """Convolution (or stride-2 deconvolution), batch normalisation over all devices, ReLU.

    At inference the normalisation is folded into the kernel.
    """

    features: int
    size: int
    up: bool = False
    norm: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        kernel = self.param(
            "kernel", nn.initializers.he_normal(), (self.size, self.size, x.shape[-1], self.features)
        ).astype(x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        apply = deconv if self.up else conv
        if not self.norm:
            return nn.relu(apply(x, kernel) + bias.astype(x.dtype))
        scale = self.param("scale", nn.initializers.ones, (self.features,))
        shift = self.param("shift", nn.initializers.zeros, (self.features,))
        mean = self.variable("batch_stats", "mean", jnp.zeros, (self.features,))
        var = self.variable("batch_stats", "var", jnp.ones, (self.features,))
        if not train:
            gain = scale * lax.rsqrt(var.value + BN_EPSILON)
            return nn.relu(
                apply(x, kernel * gain.astype(x.dtype)) + ((bias - mean.value) * gain + shift).astype(x.dtype)
            )
        y = apply(x, kernel)  # The bias cancels in training: only its running mean sees it.
        batch_mean = jnp.mean(y, (0, 1, 2))
        square = jnp.mean(jnp.square(y), (0, 1, 2))
        if not self.is_initializing():
            batch_mean, square = parallel.mean((batch_mean, square))
        batch_var = jnp.maximum(square - jnp.square(batch_mean), 0)
        if not self.is_initializing():
            mean.value = BN_MOMENTUM * mean.value + (1 - BN_MOMENTUM) * (batch_mean + bias)
            var.value = BN_MOMENTUM * var.value + (1 - BN_MOMENTUM) * batch_var
        return nn.relu((y - batch_mean) * (scale * lax.rsqrt(batch_var + BN_EPSILON)) + shift)


class MultiScaleConv(nn.Module):
    """Parallel k x k convolutions with biases, their outputs concatenated or averaged, as one convolution.

    A small kernel padded with zeros is a large one; so the branches are one kernel as large as the largest.
    """

    features: int  # of each branch
    sizes: Sequence[int]
    average: bool = False  # else concatenate

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        largest = max(self.sizes)
        kernels, biases = [], []
        for size in self.sizes:
            kernel = self.param(
                f"kernel{size}", nn.initializers.lecun_normal(), (size, size, x.shape[-1], self.features)
            )
            margin = (largest - size) // 2
            kernels.append(jnp.pad(kernel, ((margin, margin), (margin, margin), (0, 0), (0, 0))))
            biases.append(self.param(f"bias{size}", nn.initializers.zeros, (self.features,)))
        if self.average:
            kernel, bias = sum(kernels) / len(kernels), sum(biases) / len(biases)
        else:
            kernel, bias = jnp.concatenate(kernels, -1), jnp.concatenate(biases, -1)
        return conv(x, kernel.astype(x.dtype)) + bias.astype(x.dtype)
