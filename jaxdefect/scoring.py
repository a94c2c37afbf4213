"""From uint8 images to scores and masks in one compiled call: whole images, or tiles stitched together.

Images are uint8 [B, H, W, C]; maps float32 [B, H, W], higher is worse.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdefect.detector import Detector, Scores, State
from jaxdefect.maps.components import remove_small
from jaxdefect.maps.tiling import Tiles, check_tiles, cut, stitch
from jaxdefect.metrics.threshold import otsu

TILES_AT_ONCE = 64  # More are scored in turn, to bound memory: 64 tiles of 256 x 256 are 17 MB a channel.


def score_tiled(detector: Detector, state: State, images: jax.Array, tiles: Tiles) -> Scores:
    """`detector.score` tile by tile, stitched. images: float32 in [0, 1]. An image scores as its worst tile."""
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
    """scores; mask [B, H, W] bool; threshold [B] that made it."""

    scores: Scores
    mask: jax.Array | None
    threshold: jax.Array


def as_float(images: jax.Array) -> jax.Array:
    """uint8 -> float32 in [0, 1]."""
    return images.astype(jnp.float32) / 255


@functools.partial(jax.jit, static_argnames=("detector", "tiles"))
def detect(
    detector: Detector,
    state: State,
    images: jax.Array,
    *,
    threshold: float | jax.Array | None,
    min_area: int | jax.Array = 0,
    tiles: Tiles | None = None,
) -> Detection:
    """uint8 images [B, H, W, C] to maps and masks, on the device.

    threshold: of the map; None takes Otsu's of each image. min_area: smaller defects are dropped, pixels. tiles:
    score tile by tile.
    """
    images = as_float(images)
    scores = score_tiled(detector, state, images, tiles) if tiles else detector.score(state, images)
    if scores.map is None:
        return Detection(scores, None, jnp.full(len(images), jnp.nan))
    limits = jax.vmap(otsu)(scores.map) if threshold is None else jnp.broadcast_to(threshold, len(images))
    mask = scores.map > limits[:, None, None]
    return Detection(scores, remove_small(mask, min_area), limits)


@functools.partial(jax.jit, static_argnames=("detector", "tiles"))
def calibrate(detector: Detector, state: State, images: jax.Array, *, tiles: Tiles | None = None) -> State:
    """Folds uint8 normal images [B, H, W, C] into what the detector knows of normal maps, tile by tile if given."""
    images = as_float(images)
    if tiles:
        images = cut(images, tiles).reshape(-1, tiles.size, tiles.size, images.shape[-1])
    return detector.calibrate(state, images)


@functools.partial(jax.jit, static_argnames="detector")
def finalize(detector: Detector, state: State) -> State:
    """What a detector makes of all it was calibrated on."""
    return detector.finalize(state)
