"""Boxes on the device: how much they overlap, which to keep, those of a mask, and the features inside of them.

A box is (top, left, bottom, right) in pixels, half-open: pixels top to bottom - 1 are inside, and its height is bottom
- top. A box without area is none, which is how a fixed number of places holds fewer boxes. Shapes are static.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxdefect.maps import morphology
from jaxdefect.maps.components import label_components

LARGEST_STEP = math.log(1000 / 16)  # of log height and width: an untrained network's boxes stay finite


def area(boxes: Array | np.ndarray) -> Array | np.ndarray:
    """Square pixels of boxes [..., 4]: [...]. 0 where bottom or right are not beyond top or left."""
    return (boxes[..., 2] - boxes[..., 0]).clip(0) * (boxes[..., 3] - boxes[..., 1]).clip(0)


def iou(first: Array | np.ndarray, second: Array | np.ndarray) -> Array | np.ndarray:
    """Intersection over union of every pair: [N, 4], [M, 4] -> [N, M] in [0, 1], 0 with a box that is none.

    Works on the device and, with NumPy arrays, on the host.
    """
    np_like = first.__array_namespace__()
    corners = np_like.concat(
        [
            np_like.maximum(first[:, None, :2], second[None, :, :2]),
            np_like.minimum(first[:, None, 2:], second[None, :, 2:]),
        ],
        axis=-1,
    )
    shared = area(corners)
    union = area(first)[:, None] + area(second)[None] - shared
    return np_like.where(union > 0, shared / np_like.where(union > 0, union, 1.0), 0.0)


def clip(boxes: Array, height: int, width: int) -> Array:
    """Boxes [..., 4] cut at the border of an image of height x width pixels."""
    return jnp.clip(boxes, 0, jnp.asarray([height, width, height, width], boxes.dtype))


def suppress(boxes: Array, scores: Array, *, overlap: float | Array, most: int) -> tuple[Array, Array]:
    """Greedy non-maximum suppression: the best box, then the best that overlaps it by no more than `overlap`, ...

    boxes [N, 4] and scores [N], where a box that is none or has a score of -inf is never taken. Returns the indices
    int32 [most] of those kept, by falling score, and bool [most], False where there were no more. Of equal scores the
    first counts. Takes most * N intersections, one after the other.
    """

    def keep_one(alive, _):
        best = jnp.argmax(alive).astype(jnp.int32)
        there = alive[best] > -jnp.inf
        around = iou(boxes[best][None], boxes)[0] > overlap
        alive = jnp.where(around, -jnp.inf, alive).at[best].set(-jnp.inf)
        return alive, (best, there)

    return lax.scan(keep_one, jnp.where(area(boxes) > 0, scores, -jnp.inf), None, length=most)[1]


def mask_boxes(masks: Array, *, most: int, min_area: int | Array, join: int) -> Array:
    """The boxes around the connected components of masks: [B, H, W], above 0 inside -> float32 [B, most, 4].

    The largest first, by pixels of the mask, and zeros behind the last. Components of fewer than `min_area` pixels are
    left out, as are those beyond the `most` largest. join: pixels a side, odd, by which masks are dilated first: pieces
    with fewer pixels than that between them are one. The boxes are those of the mask as it is. 1 joins nothing more.
    Raises ValueError as `morphology.dilate` and `components.label_components` do.
    """
    inside = masks > 0
    labels = label_components(morphology.dilate(inside, join)) * inside
    _, height, width = masks.shape
    parts = -(-height // 2) * -(-width // 2)  # No more components fit in: their pixels do not touch.

    def of_image(labels):
        pixels = jnp.zeros(parts + 1, jnp.int32).at[labels.ravel()].add(1).at[0].set(0)
        pixels, chosen = lax.top_k(pixels, min(most, parts + 1))
        there = (pixels > 0) & (pixels >= min_area)
        member = labels == chosen[:, None, None]
        (top, bottom), (left, right) = (_extent(jnp.any(member, axis)) for axis in (2, 1))
        corners = jnp.where(there[:, None], jnp.stack([top, left, bottom, right], -1), 0)
        return jnp.pad(corners, ((0, most - len(corners)), (0, 0))).astype(jnp.float32)

    return jax.vmap(of_image)(labels)


def _extent(marked: Array) -> tuple[Array, Array]:
    """The first marked place of each row, bool [N, L], and one past the last: two of int32 [N]."""
    return jnp.argmax(marked, 1), marked.shape[1] - jnp.argmax(marked[:, ::-1], 1)


def anchors(rows: int, columns: int, *, stride: int, sizes: Sequence[float], ratios: Sequence[float]) -> np.ndarray:
    """Boxes about the middle of each cell of stride x stride pixels: float32 [rows * columns * A, 4], by cell.

    A = sizes x ratios: sizes are the roots of their areas in pixels, ratios their heights over their widths.
    Source: Ren et al., Faster R-CNN, 2015, Section 3.1.1.
    """
    half = np.array([(size * ratio**0.5 / 2, size / ratio**0.5 / 2) for size in sizes for ratio in ratios])
    middle = np.stack(np.mgrid[:rows, :columns], -1).reshape(-1, 1, 2) * stride + stride / 2
    return np.concatenate([middle - half, middle + half], -1).reshape(-1, 4).astype(np.float32)


def encode(boxes: Array, references: Array) -> Array:
    """Where boxes lie as seen from references, each [..., 4]: the deltas a network is to predict, [..., 4].

    Moves of the middle down and right in heights and widths of the reference, then the logarithms of how many times
    taller and wider the box is. Zeros where either is none. Source: Girshick et al., R-CNN, 2014, Appendix C.
    """
    there = (area(boxes) > 0) & (area(references) > 0)
    unit = jnp.asarray([0.0, 0.0, 1.0, 1.0])
    (middle, side), (reference_middle, reference_side) = (
        _middle_and_sides(jnp.where(there[..., None], x, unit)) for x in (boxes, references)
    )
    return jnp.concatenate([(middle - reference_middle) / reference_side, jnp.log(side / reference_side)], -1)


def decode(deltas: Array, references: Array) -> Array:
    """Undoes `encode`: boxes [..., 4] from deltas as seen from references. No side grows more than 62.5 times."""
    middle, side = _middle_and_sides(references)
    middle = middle + deltas[..., :2] * side
    half = jnp.exp(jnp.clip(deltas[..., 2:], -LARGEST_STEP, LARGEST_STEP)) * side / 2
    return jnp.concatenate([middle - half, middle + half], -1)


def _middle_and_sides(boxes: Array) -> tuple[Array, Array]:
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]


def roi_align(features: Array, boxes: Array, *, stride: int, bins: int, samples: int = 2) -> Array:
    """Features inside of boxes, brought to one size: [h, w, C] and [N, 4] in pixels -> [N, bins, bins, C].

    A box is divided into bins x bins parts; each is the mean of samples x samples bilinear interpolations. stride:
    pixels a side of the image for each of the features, which stand in the middle of theirs. Beyond the outermost
    features their values go on. Such a mean over a grid is one matrix of row weights and one of column weights.
    Source: He et al., Mask R-CNN, 2017, Section 3 (RoIAlign).
    """
    offsets = (np.arange(bins * samples) + 0.5) / (bins * samples)

    def weights(start: Array, end: Array, length: int) -> Array:
        """[N, bins, length]: how much each bin takes of each row (or column) of the features."""
        places = (start[:, None] + (end - start)[:, None] * offsets) / stride - 0.5
        places = jnp.clip(places, 0, length - 1)
        taken = jnp.maximum(1 - jnp.abs(places[..., None] - jnp.arange(length)), 0)
        return jnp.mean(taken.reshape(len(boxes), bins, samples, length), 2)

    height, width, _ = features.shape
    down, across = (weights(boxes[:, i], boxes[:, i + 2], side) for i, side in ((0, height), (1, width)))
    rows = jnp.einsum("niy,yxc->nixc", down, features)
    return jnp.einsum("nixc,njx->nijc", rows, across)
