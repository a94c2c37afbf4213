"""Images cut into overlapping tiles and stitched together again. Arrays are [B, H, W, ...]."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Tiles(NamedTuple):
    """How an image is cut: `size` pixels a side, of which neighbours share `overlap`."""

    size: int
    overlap: int


def check_tiles(tiles: Tiles, *, field: str = "score.tile", overlap_field: str = "score.overlap") -> None:
    """Raises ValueError, naming the config's fields, for tiles that do not cover an image."""
    if tiles.size < 8 or not 0 <= tiles.overlap <= tiles.size // 2:
        raise ValueError(
            f"{field} = {tiles.size} with {overlap_field} = {tiles.overlap}; a tile needs at least 8 pixels a side, "
            f"of which at most half ({tiles.size // 2}) may overlap"
        )


def grid(height: int, width: int, tiles: Tiles) -> tuple[int, int]:
    """How many tiles cover an image, down and across."""
    stride = tiles.size - tiles.overlap
    return tuple(max(1, math.ceil((side - tiles.overlap) / stride)) for side in (height, width))


def canvas(height: int, width: int, tiles: Tiles) -> tuple[int, int]:
    """The size of the smallest whole grid of tiles over an image. Images of one grid share one compiled program."""
    stride = tiles.size - tiles.overlap
    return tuple((count - 1) * stride + tiles.size for count in grid(height, width, tiles))


def cut(images: jax.Array, tiles: Tiles) -> jax.Array:
    """[B, H, W, C] -> [B, rows, columns, size, size, C]; beyond its lower and right border an image is mirrored."""
    height, width = images.shape[1:3]
    (rows, columns), (tall, wide) = grid(height, width, tiles), canvas(height, width, tiles)
    padded = jnp.pad(images, ((0, 0), (0, tall - height), (0, wide - width), (0, 0)), "symmetric")
    stride = tiles.size - tiles.overlap
    ys = stride * np.arange(rows)[:, None] + np.arange(tiles.size)
    xs = stride * np.arange(columns)[:, None] + np.arange(tiles.size)
    return padded[:, ys[:, None, :, None], xs[None, :, None, :]]


def feather(count: int, tiles: Tiles) -> np.ndarray:
    """[count, size] weights along one axis: 1 inside, falling linearly to 0 over the overlap; they sum to 1.

    The outer quarter of an overlap weighs nothing: there a tile's own zero padding reached the furthest.
    """
    ramp = np.clip(((np.arange(tiles.overlap) + 0.5) / max(tiles.overlap, 1) - 0.25) * 2, 0, 1)
    weights = np.ones((count, tiles.size), np.float32)
    if tiles.overlap:
        weights[1:, : tiles.overlap] = ramp
        weights[:-1, -tiles.overlap :] = ramp[::-1]
    return weights


def stitch(pieces: jax.Array, tiles: Tiles, *, height: int, width: int) -> jax.Array:
    """[B, rows, columns, size, size, ...] -> [B, height, width, ...]: blends overlapping tiles. Undoes `cut`."""

    def join(pieces, count, axis):  # Joins axis `axis` (count) and `axis + 1` (size).
        weights = feather(count, tiles).reshape(count, tiles.size, *(1,) * (pieces.ndim - axis - 2))
        pieces = jnp.moveaxis(pieces * weights, axis, 0)
        stride = tiles.size - tiles.overlap
        shape = list(pieces.shape[1:])
        shape[axis] = (count - 1) * stride + tiles.size
        total = jnp.zeros(shape, pieces.dtype)
        for index in range(count):
            here = (slice(None),) * axis + (slice(index * stride, index * stride + tiles.size),)
            total = total.at[here].add(pieces[index])
        return total

    rows, columns = pieces.shape[1:3]
    pieces = jnp.moveaxis(pieces, 3, 2)  # [B, rows, size, columns, size, ...]
    joined = join(join(pieces, columns, 3), rows, 1)
    return joined[:, :height, :width]


def reconstruct_tiled(reconstruct: Callable[[jax.Array], jax.Array], images: jax.Array, tiles: Tiles) -> jax.Array:
    """Reconstructions of images [B, H, W, C] of any size by a network of one size: [N, size, size, C] -> the same.

    Mirrored all around by half an overlap, so that no pixel lies at the edge of a tile, where a reconstruction is
    worst; images of the size of a tile are reconstructed as they are.
    """
    (height, width), margin = images.shape[1:3], tiles.overlap // 2
    if height == width == tiles.size:
        return reconstruct(images)
    around = jnp.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)), "symmetric")
    pieces = cut(around, tiles)
    reconstruction = reconstruct(pieces.reshape(-1, *pieces.shape[3:])).reshape(pieces.shape)
    whole = stitch(reconstruction, tiles, height=height + 2 * margin, width=width + 2 * margin)
    return whole[:, margin : margin + height, margin : margin + width]
