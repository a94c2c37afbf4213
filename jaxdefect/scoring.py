"""From uint8 pictures to scores and masks in one compiled call: whole pictures, or tiles stitched together.

Pictures are uint8 [B, H, W, C]; maps float32 [B, H, W], higher is worse.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect.components import remove_small
from jaxdefect.detector import Detector, Scores, State
from jaxdefect.threshold import otsu

TILES_AT_ONCE = 64  # More are scored in turn, to bound memory: 64 tiles of 256 x 256 are 17 MB a channel.


class Tiles(NamedTuple):
    """How a picture is cut: `size` pixels a side, of which neighbours share `overlap`."""

    size: int
    overlap: int


def check_tiles(tiles: Tiles) -> None:
    """Raises ValueError for tiles that do not cover a picture."""
    if tiles.size < 8 or not 0 <= tiles.overlap <= tiles.size // 2:
        raise ValueError(
            f"score.tile = {tiles.size} with score.overlap = {tiles.overlap}; a tile needs at least 8 pixels a side, "
            f"of which at most half ({tiles.size // 2}) may overlap"
        )


def grid(height: int, width: int, tiles: Tiles) -> tuple[int, int]:
    """How many tiles cover a picture, down and across."""
    stride = tiles.size - tiles.overlap
    return tuple(max(1, math.ceil((side - tiles.overlap) / stride)) for side in (height, width))


def canvas(height: int, width: int, tiles: Tiles) -> tuple[int, int]:
    """The size of the smallest whole grid of tiles over a picture. Pictures of one grid share one compiled program."""
    stride = tiles.size - tiles.overlap
    return tuple((count - 1) * stride + tiles.size for count in grid(height, width, tiles))


def cut(images: jax.Array, tiles: Tiles) -> jax.Array:
    """[B, H, W, C] -> [B, rows, columns, size, size, C]; beyond its lower and right border a picture is mirrored."""
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


def score_tiled(detector: Detector, state: State, images: jax.Array, tiles: Tiles) -> Scores:
    """`detector.score` tile by tile, stitched. images: float32 in [0, 1]. A picture scores as its worst tile."""
    check_tiles(tiles)
    batch, height, width, channels = images.shape
    pieces = cut(images, tiles)
    rows, columns = pieces.shape[1:3]
    flat = pieces.reshape(-1, tiles.size, tiles.size, channels)
    score = functools.partial(detector.score, state)
    if len(flat) <= TILES_AT_ONCE:
        scores = score(flat)
    else:
        scores = jax.lax.map(
            lambda tile: jax.tree.map(lambda x: x[0], score(tile[None])), flat, batch_size=TILES_AT_ONCE
        )
    whole = lambda x: None if x is None else stitch(
        x.reshape(batch, rows, columns, *x.shape[1:]), tiles, height=height, width=width
    )  # fmt: skip
    worst = jnp.max(scores.image.reshape(batch, -1), 1)
    return Scores(worst, whole(scores.map), whole(scores.reconstruction))


class Detection(NamedTuple):
    """scores at the size asked for; mask [B, H, W] bool; threshold [B] that made it."""

    scores: Scores
    mask: jax.Array | None
    threshold: jax.Array


def as_float(images: jax.Array) -> jax.Array:
    """uint8 -> float32 in [0, 1]."""
    return images.astype(jnp.float32) / 255


@functools.partial(jax.jit, static_argnames=("detector", "tiles", "size"))
def detect(
    detector: Detector,
    state: State,
    images: jax.Array,
    *,
    threshold: float | jax.Array | None,
    min_area: int | jax.Array = 0,
    tiles: Tiles | None = None,
    size: tuple[int, int] | None = None,
) -> Detection:
    """uint8 pictures [B, H, W, C] to maps and masks, on the device.

    threshold: of the map; None takes Otsu's of each picture. min_area: smaller defects are dropped, in pixels of the
    result. tiles: score tile by tile. size: bring maps and reconstructions to (height, width) first, the size of the
    original of a picture that was scaled down.
    """
    images = as_float(images)
    scores = score_tiled(detector, state, images, tiles) if tiles else detector.score(state, images)
    if scores.map is None:
        return Detection(scores, None, jnp.full(len(images), jnp.nan))
    if size is not None and size != scores.map.shape[1:]:
        scores = scores._replace(map=jax.image.resize(scores.map, (len(images), *size), "linear"))
    limits = jax.vmap(otsu)(scores.map) if threshold is None else jnp.broadcast_to(threshold, len(images))
    mask = scores.map > limits[:, None, None]
    return Detection(scores, remove_small(mask, min_area), limits)


@functools.partial(jax.jit, static_argnames=("detector", "tiles"))
def calibrate(detector: Detector, state: State, images: jax.Array, *, tiles: Tiles | None = None) -> State:
    """Folds uint8 normal pictures [B, H, W, C] into what the detector knows of normal maps, tile by tile if given."""
    images = as_float(images)
    if tiles:
        images = cut(images, tiles).reshape(-1, tiles.size, tiles.size, images.shape[-1])
    return detector.calibrate(state, images)
