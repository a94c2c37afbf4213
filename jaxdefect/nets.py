"""Shared linen blocks. Features are [B, H, W, C]; kernels [k, k, in, out]; k is odd."""

import contextlib
import contextvars
from collections.abc import Iterator, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxdefect import parallel

BN_MOMENTUM, BN_EPSILON = 0.9, 1e-5


def conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution with stride 1 and zero padding to the same size.

    On CPU a kernel with few channels is computed on 2 x 2 blocks of pixels, as one of 4 times the channels and about
    half the width: matrix products a few columns wide waste most of the processor. Equal but for rounding.
    """
    size, _, inputs, outputs = kernel.shape
    even = x.shape[1] % 2 == x.shape[2] % 2 == 0
    # Blocks of a kernel of 5 cost 36 / 25 as many products; of 3 they would cost 4 times as many.
    if jax.default_backend() == "cpu" and even and size % 4 == 1 and size > 1 and inputs * outputs <= BLOCK_CHANNELS:
        return unblock(_conv(block(x), block_kernel(kernel)))
    return _conv(x, kernel)


# Measured on 2 cores at 256 x 32^2: 9 -> 1 channels 9.7 to 1.7 ms, 9 -> 10 11.5 to 9.8, 10 -> 20 (16^2) 6.4 to 4.4.
BLOCK_CHANNELS = 200


_form = contextvars.ContextVar("form", default="native")


@contextlib.contextmanager
def convolutions(form: str) -> Iterator[None]:
    """What is traced inside computes convolutions in this form: native, or matmul.

    Under `vmap` over kernels the native form becomes one convolution of as many groups as there are runs, which many
    libraries compute slowly; matmul gathers the taps of every pixel and becomes one batched matrix product, at k * k
    times the memory of the features.
    """
    token = _form.set(form)
    try:
        yield
    finally:
        _form.reset(token)


def matmul_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The same convolution as a matrix product over gathered taps."""
    size, (height, width) = kernel.shape[0], x.shape[1:3]
    half = size // 2
    padded = jnp.pad(x, ((0, 0), (half, half), (half, half), (0, 0)))
    taps = [padded[:, i : i + height, j : j + width] for i in range(size) for j in range(size)]
    return jnp.concatenate(taps, -1) @ kernel.reshape(-1, kernel.shape[-1])


def _conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    if _form.get() == "matmul":
        return matmul_conv(x, kernel)
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def block(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> [B, H/2, W/2, 4 C]: the pixels of each 2 x 2 block side by side (space to depth)."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height // 2, width // 2, 4 * channels)


def unblock(x: jax.Array) -> jax.Array:
    """[B, H, W, 4 C] -> [B, 2H, 2W, C]: undoes `block` (depth to space)."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height, width, 2, 2, channels // 4)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height, 2 * width, channels // 4)


def block_kernel(kernel: jax.Array) -> jax.Array:
    """[k, k, in, out] -> [k', k', 4 in, 4 out]: the same convolution between blocks."""
    size, _, inputs, outputs = kernel.shape
    half, reach = size // 2, (size // 2 + 1) // 2
    offset, source, target = np.mgrid[-reach : reach + 1, :2, :2]
    taps = 2 * offset + source - target + half  # [offsets, from, to]: which tap joins these two pixels
    taps = np.where((taps < 0) | (taps >= size), size, taps)  # Row and column `size` are zeros.
    padded = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))
    spread = padded[taps[:, :, :, None, None, None], taps[None, None, None]]  # [oy, fy, ty, ox, fx, tx, in, out]
    spread = spread.transpose(0, 3, 1, 4, 6, 2, 5, 7)
    return spread.reshape(2 * reach + 1, 2 * reach + 1, 4 * inputs, 4 * outputs)


def phase_taps(size: int) -> np.ndarray:
    """[2, offsets]: which tap of a 1-D stride-2 transposed kernel meets input `i + offset` at output `2 i + phase`.

    A value of `size` means none. lax.conv_transpose with SAME padding shifts the kernel by ceil(size / 2) pixels, but a
    kernel of one pixel not at all.
    """
    before = 0 if size == 1 else -(-size // 2)
    places = [(phase, tap, *divmod(phase + tap - before, 2)) for phase in range(2) for tap in range(size)]
    reach = max(abs(offset) for _, _, offset, odd in places if not odd)
    taps = np.full((2, 2 * reach + 1), size)
    for phase, tap, offset, odd in places:
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
    return unblock(conv(x, phases.reshape(*phases.shape[:3], -1)))


def max_pool(x: jax.Array) -> jax.Array:
    """2 x 2 max-pooling. Its gradient is 4-8x faster on CPU than that of a windowed reduction."""
    top, bottom = x[:, ::2], x[:, 1::2]
    rows = jnp.maximum(top, bottom)
    return jnp.maximum(rows[:, :, ::2], rows[:, :, 1::2])


def max_places(x: jax.Array) -> jax.Array:
    """[B, H/2, W/2, 4, C] one-hot: where in its 2 x 2 block each maximum was (the first, if several)."""
    blocks = block(x).reshape(x.shape[0], x.shape[1] // 2, x.shape[2] // 2, 4, x.shape[3])
    return jax.nn.one_hot(jnp.argmax(blocks, axis=3), 4, axis=3, dtype=x.dtype)


def max_unpool(x: jax.Array, places: jax.Array) -> jax.Array:
    """Puts each value back where `max_places` says it came from; zeros elsewhere. [B, H, W, C] -> [B, 2H, 2W, C]."""
    spread = x[:, :, :, None] * places
    return unblock(spread.reshape(*x.shape[:3], -1))


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
