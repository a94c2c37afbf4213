"""Convolutions with large kernels as products of spectra, in matrix products alone.

An image is cut into tiles that overlap by a kernel less one pixel (overlap-save); a convolution of each is then one
product of complex numbers per frequency, tile and pair of channels. The discrete Fourier transforms are products with
matrices of cosines and sines, half a spectrum along the rows; a complex product is three real ones (Gauss), whose sums
and differences are folded into those matrices. So everything uses all cores, works inside of loops and under `vmap`,
and has gradients of the same form. Features are [B, H, W, C], kernels [height, width, in, out].

Milliseconds forward / forward and both gradients on 2 idle cores, float32:

| features x kernel                    | direct     | spectral  | through jnp.fft |
|--------------------------------------|------------|-----------|-----------------|
| [1, 64, 64, 64] x [15, 15, 64, 1024] | 265 / 1300 | 130 / 300 | 1990 / 8040     |
| [8, 64, 64, 16] x [15, 15, 16, 64]   | 39 / 250   | 13 / 45   | 48 / 109        |
| [8, 32, 32, 16] x [15, 15, 16, 64]   | 10 / 48    | 5 / 13    | 9 / 25          |
"""

import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxdefect.networks import convolution

EXACT = lax.Precision.HIGHEST  # An accelerator's shorter products (TF32) would err by 1e-3.
CACHE = 2**25  # Bytes of spectra at a time. With all at once (0.4 GB) the widest layer took twice as long.
WRITE = 60  # Multiply-adds in the time of writing one number, on 2 cores.
GAIN = 2  # So many times cheaper must the estimate be. Measured at 2.2: forward 1.1, with gradients 2.1 times as fast.

# Complex product y = x k from three real ones, p = (OF_INPUT x) * (OF_KERNEL k), y = TO_OUTPUT p; (real, imaginary).
OF_INPUT = np.array([[1, 1], [1, 0], [0, 1]])
OF_KERNEL = np.array([[1, 0], [-1, 1], [1, 1]])
TO_OUTPUT = np.array([[1, 0, -1], [1, 1, 0]])


class Tiles(NamedTuple):
    """How an image is cut; each pair is (along the height, along the width)."""

    count: tuple[int, int]
    valid: tuple[int, int]  # Outputs of a tile in pixels.
    size: tuple[int, int]  # Inputs of a tile in pixels, the length of its transform.

    @property
    def frequencies(self) -> int:
        return self.size[0] * (self.size[1] // 2 + 1)


def large_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`conv` or `convolution.conv`, whichever is estimated to be faster; equal but for rounding.

    x [B, H, W, in], kernel [height, width, in, out] of odd sides -> [B, H, W, out]; zeros around.
    """
    direct = math.prod(x.shape[:3]) * math.prod(kernel.shape)
    # Other backends have libraries with large-kernel forms of their own; the spectral form was not measured there.
    if jax.default_backend() == "cpu" and GAIN * cheapest(x.shape, kernel.shape)[0] < direct:
        return conv(x, kernel)
    return convolution.conv(x, kernel)


def conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Stride-1 convolution with zeros around, through spectra: equal to `convolution.conv` to 1e-5 of the largest.

    x [B, H, W, in], kernel [height, width, in, out] -> [B, H, W, out], gradients by differentiating the products.
    Raises ValueError for a kernel with an even side, which has no middle.
    """
    (batch, height, width, _), (tall, wide, inputs, outputs) = x.shape, kernel.shape
    if tall % 2 == 0 or wide % 2 == 0:
        raise ValueError(f"a kernel of {tall} x {wide} pixels has no middle; use odd sides, such as 15 x 15")
    tiles = cheapest(x.shape, kernel.shape)[1]
    spectra = transform(cut(x, tiles, (tall, wide)), tiles.size, OF_INPUT)

    def some_outputs(part: jax.Array) -> jax.Array:
        products = jnp.matmul(spectra, transform(part, tiles.size, OF_KERNEL, reverse=True), precision=EXACT)
        return restore(products, tiles)

    blocks = blocks_of_outputs(batch, inputs, outputs, tiles)
    if blocks == 1:
        pieces = some_outputs(kernel)
    else:  # A kernel's spectra are many times its size: computed again for the gradient rather than kept.
        parts = jnp.moveaxis(kernel.reshape(tall, wide, inputs, blocks, -1), 3, 0)
        pieces = jnp.moveaxis(lax.map(jax.checkpoint(some_outputs, prevent_cse=False), parts), 0, 3)
    pieces = pieces.reshape(*tiles.valid, *tiles.count, batch, outputs)
    whole = [count * valid for count, valid in zip(tiles.count, tiles.valid, strict=True)]
    return pieces.transpose(4, 2, 0, 3, 1, 5).reshape(batch, *whole, outputs)[:, :height, :width]


def cheapest(shape: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[int, Tiles]:
    """The cheapest way to cut features of this shape for a kernel of that one, and its cost in multiply-adds."""
    batch, sides, inputs, outputs = shape[0], shape[1:3], kernel[2], kernel[3]

    def cost(tiles: Tiles) -> int:
        number = batch * math.prod(tiles.count)
        tile = _operations(tiles.size, tiles.size)
        once = _operations(kernel[:2], tiles.size)
        back = _operations(tiles.valid, tiles.size)
        spectra = 3 * tiles.frequencies * (number * inputs + inputs * outputs + number * outputs)
        products = 3 * tiles.frequencies * number * inputs * outputs
        return number * inputs * tile + inputs * outputs * once + number * outputs * back + products + WRITE * spectra

    choices = []
    for count in itertools.product(*(range(1, min(side, 16) + 1) for side in sides)):
        valid = tuple(-(-side // number) for side, number in zip(sides, count, strict=True))
        size = tuple(side + length - 1 for side, length in zip(valid, kernel[:2], strict=True))
        choices.append(Tiles(count, valid, size))
    return min((cost(tiles), tiles) for tiles in choices)


def _operations(pixels: tuple[int, ...], size: tuple[int, ...]) -> int:
    """Multiply-adds of the transform of so many pixels to spectra of this size, or back."""
    half = size[1] // 2 + 1
    return pixels[0] * pixels[1] * 2 * half + 2 * pixels[0] * 3 * size[0] * half


def blocks_of_outputs(batch: int, inputs: int, outputs: int, tiles: Tiles) -> int:
    """Into how many equal blocks the output channels go, so that the spectra of one stay in the cache."""
    per_channel = 4 * 3 * tiles.frequencies * (inputs + batch * math.prod(tiles.count))
    fitting = [n for n in range(1, outputs + 1) if outputs % n == 0 and outputs // n * per_channel <= CACHE]
    return fitting[0] if fitting else outputs


def cut(x: jax.Array, tiles: Tiles, kernel: tuple[int, int]) -> jax.Array:
    """[B, H, W, C] -> overlapping tiles [rows, columns, tiles * B, C], with the zeros around the image."""
    around, places = [], []
    for side, count, valid, size, length in zip(x.shape[1:3], *tiles, kernel, strict=True):
        around.append((length // 2, length // 2 + count * valid - side))
        places.append(np.arange(size)[:, None] + valid * np.arange(count))
    x = jnp.pad(x, ((0, 0), *around, (0, 0))).transpose(1, 2, 0, 3)
    rows, columns = places
    return x[rows[:, None, :, None], columns[None, :, None, :]].reshape(*tiles.size, -1, x.shape[-1])


def transform(x: jax.Array, size: tuple[int, int], parts: np.ndarray, *, reverse: bool = False) -> jax.Array:
    """Pixels [rows, columns, ...] -> `parts` of their spectra [3 * frequencies, ...], as if zeros filled up `size`.

    reverse: of the image turned by 180 degrees, as a kernel goes into a product that is to be its correlation.
    """
    tall, wide, *rest = x.shape
    (rows, columns), half = (_fourier(length) for length in size), size[1] // 2 + 1
    order = slice(None, None, -1 if reverse else 1)
    columns = columns[:, :half, :wide][..., order].reshape(2 * half, wide)
    real, imaginary = rows[..., :tall][..., order]
    rotate = np.array([[real, -imaginary], [imaginary, real]])  # [to, from, frequency, row], each real or imaginary
    rows = np.einsum("pt,tfur->purf", parts, rotate).reshape(3 * size[0], 2 * tall)
    x = jnp.matmul(columns.astype(x.dtype), x.reshape(tall, wide, -1), precision=EXACT)
    x = jnp.matmul(rows.astype(x.dtype), x.reshape(2 * tall, -1), precision=EXACT)
    return x.reshape(-1, *rest)


def restore(products: jax.Array, tiles: Tiles) -> jax.Array:
    """Products [3 * frequencies, ...] -> the last pixels of each tile, where no output wraps around: [*valid, ...]."""
    (tall, wide), rest = tiles.size, products.shape[1:]
    (real, imaginary), columns = (_fourier(length) for length in tiles.size)
    half = wide // 2 + 1
    # The other half of the spectrum is the conjugate of this one; frequencies without a twin count once.
    twins = np.where(np.arange(half) * 2 % wide == 0, 1, 2)
    columns = (columns[..., :half] * twins / wide).swapaxes(0, 1)[-tiles.valid[1] :].reshape(-1, 2 * half)
    rotate = np.array([[real, imaginary], [-imaginary, real]])  # [to, from, row, frequency]
    rows = np.einsum("tfru,fp->rtpu", rotate, TO_OUTPUT)[-tiles.valid[0] :] / tall
    x = jnp.matmul(rows.reshape(-1, 3 * tall).astype(products.dtype), products.reshape(3 * tall, -1), precision=EXACT)
    x = jnp.matmul(columns.astype(x.dtype), x.reshape(tiles.valid[0], 2 * half, -1), precision=EXACT)
    return x.reshape(*tiles.valid, *rest)


def _fourier(length: int) -> np.ndarray:
    """[2, frequencies, pixels]: real and imaginary part of the matrix of the discrete Fourier transform."""
    angles = -2 * np.pi * np.outer(np.arange(length), np.arange(length)) / length
    return np.array([np.cos(angles), np.sin(angles)])
