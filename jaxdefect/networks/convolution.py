"""Convolutions and poolings in the form that is fast on the backend at hand, equal to the plain one but for rounding.

Features are [B, H, W, C]; kernels [height, width, in, out].
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

LAYOUT = ("NHWC", "HWIO", "NHWC")

# Measured on 2 cores at 256 x 32^2: 9 -> 1 channels 9.7 to 1.7 ms, 9 -> 10 11.5 to 9.8, 10 -> 20 (16^2) 6.4 to 4.4.
BLOCK_CHANNELS = 200

_form = contextvars.ContextVar("form", default="native")


@contextlib.contextmanager
def convolutions(form: str) -> Iterator[None]:
    """What is traced inside computes stride-1 convolutions in this form: native, or matmul.

    Under `vmap` over kernels the native form becomes one convolution of as many groups as there are runs, which many
    libraries compute slowly; matmul gathers the taps of every pixel and becomes one batched matrix product, at k * k
    times the memory of the features.
    """
    token = _form.set(form)
    try:
        yield
    finally:
        _form.reset(token)


def conv(
    x: jax.Array, kernel: jax.Array, *, stride: int = 1, padding: int | tuple[int, int] | None = None
) -> jax.Array:
    """Convolution with zeros around: `padding` pixels on each side, (rows, columns); without, half a kernel.

    stride is 1 or 2, a square kernel's if 2; rows and columns that a stride does not reach are not looked at. On CPU a
    stride of 2, and a kernel with few channels, are computed on 2 x 2 blocks of pixels, as a convolution of 4 times the
    channels and half the width: matrix products a few columns wide waste most of the processor.
    """
    tall, wide, inputs, outputs = kernel.shape
    usual = (tall // 2, wide // 2)
    padding = usual if padding is None else (padding, padding) if isinstance(padding, int) else padding
    cpu = jax.default_backend() == "cpu"
    if stride == 2 and cpu:
        return strided(x, kernel, padding[0])
    if stride > 1:
        around = [(side, side) for side in padding]
        return lax.conv_general_dilated(x, kernel, (stride, stride), around, dimension_numbers=LAYOUT)
    plain = x.shape[1] % 2 == x.shape[2] % 2 == 0 and padding == usual and tall == wide
    # Blocks of a kernel of 5 cost 36 / 25 as many products; of 3 they would cost 4 times as many.
    if cpu and plain and tall % 4 == 1 and tall > 1 and inputs * outputs <= BLOCK_CHANNELS:
        blocks = block_kernel(kernel)
        return unblock(_stride1(block(x), blocks, (blocks.shape[0] // 2,) * 2))
    return _stride1(x, kernel, padding)


def _stride1(x: jax.Array, kernel: jax.Array, padding: tuple[int, int]) -> jax.Array:
    if _form.get() == "matmul":
        return matmul_conv(x, kernel, padding)
    if jax.default_backend() == "cpu":
        return canonical(pad(x, padding), kernel)
    around = [(side, side) for side in padding]
    return lax.conv_general_dilated(x, kernel, (1, 1), around, dimension_numbers=LAYOUT)


def pad(x: jax.Array, padding: tuple[int, int]) -> jax.Array:
    """Zeros around [B, H, W, C]: so many rows above and below, so many columns left and right."""
    rows, columns = padding
    return jnp.pad(x, ((0, 0), (rows, rows), (columns, columns), (0, 0))) if rows or columns else x


@jax.custom_vjp
def canonical(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution without padding whose gradients, of any order, are such convolutions again.

    XLA on CPU brings a convolution into the layout its fast routine wants only outside of loops and conditionals.
    Inside (a search, a critic's several updates, a phase) the usual weight gradient took 3.3 s in place of 52 ms.
    """
    return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=LAYOUT)


def _canonical_forward(x, kernel):
    return canonical(x, kernel), (x, kernel)


def _canonical_backward(saved, gradient):
    x, kernel = saved
    tall, wide = kernel.shape[:2]
    to_input = canonical(pad(gradient, (tall - 1, wide - 1)), kernel[::-1, ::-1].swapaxes(2, 3))
    to_kernel = canonical(x.transpose(3, 1, 2, 0), gradient.transpose(1, 2, 0, 3))
    return to_input, to_kernel.transpose(1, 2, 0, 3)


canonical.defvjp(_canonical_forward, _canonical_backward)


def strided(x: jax.Array, kernel: jax.Array, padding: int) -> jax.Array:
    """Convolution with stride 2 on 2 x 2 blocks of pixels. Its gradients are 2.4 times faster than the plain form's."""
    size, sides = kernel.shape[0], x.shape[1:3]
    even = size + size % 2  # A row and a column of zeros make an odd kernel even.
    outs = [(side + 2 * padding - size) // 2 + 1 for side in sides]
    after = [2 * (out - 1) + even - side - padding for out, side in zip(outs, sides, strict=True)]
    around = [(0, 0, 0), *((padding, more, 0) for more in after), (0, 0, 0)]  # Negative where rows are not reached.
    padded = lax.pad(x, jnp.zeros((), x.dtype), around)
    kernel = jnp.pad(kernel, ((0, even - size), (0, even - size), (0, 0), (0, 0)))
    half = even // 2
    blocks = kernel.reshape(half, 2, half, 2, *kernel.shape[2:]).transpose(0, 2, 1, 3, 4, 5)
    return _stride1(block(padded), blocks.reshape(half, half, -1, kernel.shape[-1]), (0, 0))


def matmul_conv(x: jax.Array, kernel: jax.Array, padding: tuple[int, int]) -> jax.Array:
    """A convolution as a matrix product over gathered taps."""
    tall, wide = kernel.shape[:2]
    padded = pad(x, padding)
    height, width = padded.shape[1] - tall + 1, padded.shape[2] - wide + 1
    taps = [padded[:, i : i + height, j : j + width] for i in range(tall) for j in range(wide)]
    return jnp.concatenate(taps, -1) @ kernel.reshape(-1, kernel.shape[-1])


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
    size, (height, width) = kernel.shape[0], x.shape[1:3]
    if size % 2 == 0:  # Every phase meets half the taps, so that nothing is wasted, shifted by half - 1 outputs.
        half = size // 2
        pairs = kernel.reshape(half, 2, half, 2, *kernel.shape[2:])[:, ::-1, :, ::-1]
        phases = pairs.transpose(0, 2, 4, 1, 3, 5).reshape(half, half, kernel.shape[2], -1)
        around = (half - 1, half // 2)
        y = unblock(_stride1(jnp.pad(x, ((0, 0), around, around, (0, 0))), phases, (0, 0)))
        return y[:, half - 1 : half - 1 + 2 * height, half - 1 : half - 1 + 2 * width]
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


def max_pool_odd(x: jax.Array) -> jax.Array:
    """2 x 2 max-pooling of [B, H, W, C] that leaves out an odd last row or column, but not the only one."""
    height, width = (max(side // 2 * 2, 1) for side in x.shape[1:3])
    alone = [(0, 0), (0, height % 2), (0, width % 2), (0, 0)]
    return max_pool(jnp.pad(x[:, :height, :width], alone, "edge"))


def max_pool3(x: jax.Array) -> jax.Array:
    """3 x 3 max-pooling with stride 2, VALID. On CPU 6 times faster than a windowed reduction."""
    rows, columns = ((side - 3) // 2 * 2 for side in x.shape[1:3])  # where the last window begins
    x = functools.reduce(jnp.maximum, [x[:, i : i + rows + 1 : 2] for i in range(3)])
    return functools.reduce(jnp.maximum, [x[:, :, i : i + columns + 1 : 2] for i in range(3)])


def max_places(x: jax.Array) -> jax.Array:
    """[B, H/2, W/2, 4, C] one-hot: where in its 2 x 2 block each maximum was (the first, if several)."""
    blocks = block(x).reshape(x.shape[0], x.shape[1] // 2, x.shape[2] // 2, 4, x.shape[3])
    return jax.nn.one_hot(jnp.argmax(blocks, axis=3), 4, axis=3, dtype=x.dtype)


def max_unpool(x: jax.Array, places: jax.Array) -> jax.Array:
    """Puts each value back where `max_places` says it came from; zeros elsewhere. [B, H, W, C] -> [B, 2H, 2W, C]."""
    spread = x[:, :, :, None] * places
    return unblock(spread.reshape(*x.shape[:3], -1))
