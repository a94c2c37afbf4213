"""From uint8 images to scores and masks in one compiled call: whole images, or tiles stitched together.

Images are uint8 [B, H, W, C]; maps float32 [B, H, W], higher is worse.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect.detector import Detector, Scores, State
from jaxdefect.maps.boxes import clip, suppress
from jaxdefect.maps.components import remove_small
from jaxdefect.maps.tiling import Tiles, check_tiles, cut, stitch
from jaxdefect.metrics.threshold import otsu

SAME_BOX = 0.3  # intersection over union from which on the boxes of two tiles are of one defect
PIXELS_AT_ONCE = 64 * 256**2  # of tiles; more are scored in turn, to bound memory: these are 17 MB a channel


def score_tiled(
    detector: Detector, state: State, images: jax.Array, tiles: Tiles, *, size: jax.Array | None = None
) -> Scores:
    """`detector.score` tile by tile, joined. images: float32 in [0, 1]. size: int [2], the rows and columns of them
    that are no mirrored border; all, if not given.

    Maps and reconstructions are stitched. An image has the score of its map, where the detector says how it follows,
    else of its worst tile, and the kinds of that tile. Boxes of all tiles
    are brought to their places in the image, and of two that overlap by more than SAME_BOX the better is kept. Raises
    ValueError, naming them, where a detector gives what no tile knows of its image: surface, classes, embedding.
    """
    check_tiles(tiles)
    batch, height, width, channels = images.shape
    pieces = cut(images, tiles)
    rows, columns = pieces.shape[1:3]
    flat = pieces.reshape(-1, tiles.size, tiles.size, channels)
    score = functools.partial(detector.score, state)
    at_once = max(1, PIXELS_AT_ONCE // tiles.size**2)
    if len(flat) <= at_once:
        scores = score(flat)
    else:
        scores = jax.lax.map(lambda tile: jax.tree.map(lambda x: x[0], score(tile[None])), flat, batch_size=at_once)
    of_image = [name for name in ("surface", "classes", "embedding") if getattr(scores, name) is not None]
    if of_image:
        raise ValueError(f"score.mode = 'tiled': the detector gives {', '.join(of_image)} of an image, which its tiles "
                         "do not have; use score.mode=whole")  # fmt: skip
    scores = jax.tree.map(lambda x: x.reshape(batch, rows * columns, *x.shape[1:]), scores)
    stitched = lambda x: None if x is None else stitch(
        x.reshape(batch, rows, columns, *x.shape[2:]), tiles, height=height, width=width
    )  # fmt: skip
    worst = jnp.argmax(scores.image, 1)
    kinds = None if scores.kinds is None else scores.kinds[jnp.arange(batch), worst]
    boxes = None if scores.boxes is None else _joined_boxes(scores.boxes, columns, tiles, height=height, width=width)
    anomaly_map = stitched(scores.map)
    if detector.image_score is None:
        image_scores = jnp.max(scores.image, 1)
    else:
        image_scores = detector.image_score(state, anomaly_map, jnp.array([height, width]) if size is None else size)
    return Scores(image_scores, anomaly_map, stitched(scores.reconstruction), kinds=kinds, boxes=boxes)


def _joined_boxes(boxes: jax.Array, columns: int, tiles: Tiles, *, height: int, width: int) -> jax.Array:
    """The boxes [B, tiles, N, 5] of tiles, `columns` of them in a row, as boxes [B, tiles * N, 5] of their image."""
    count = boxes.shape[1]
    stride = tiles.size - tiles.overlap
    corners = stride * np.stack(np.divmod(np.arange(count), columns), -1)
    moved = clip(boxes[..., :4] + jnp.tile(corners, 2)[:, None], height, width).reshape(len(boxes), -1, 4)
    scores = boxes[..., 4].reshape(len(boxes), -1)
    moved = jnp.where(scores[..., None] > 0, moved, 0)  # A row without a score is no box.

    def join(moved, scores):
        kept, there = suppress(moved, scores, overlap=SAME_BOX, most=len(scores))
        return jnp.where(there[:, None], jnp.concatenate([moved[kept], scores[kept, None]], -1), 0)

    return jax.vmap(join)(moved, scores)


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
    size: jax.Array | None = None,
) -> Detection:
    """uint8 images [B, H, W, C] to maps and masks, on the device.

    threshold: of the map; None takes Otsu's of each image. min_area: smaller defects are dropped, pixels. tiles:
    score tile by tile. size: int [2], the rows and columns of tiled images that are no mirrored border.
    """
    images = as_float(images)
    scores = score_tiled(detector, state, images, tiles, size=size) if tiles else detector.score(state, images)
    if scores.map is None:
        return Detection(scores, None, jnp.full(len(images), jnp.nan))
    limits = jax.vmap(otsu)(scores.map) if threshold is None else jnp.broadcast_to(threshold, len(images))
    mask = scores.map > limits[:, None, None]
    none_is_small = isinstance(min_area, int) and min_area <= 1  # To tell components takes 8 bytes of every pixel.
    return Detection(scores, mask if none_is_small else remove_small(mask, min_area), limits)


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
