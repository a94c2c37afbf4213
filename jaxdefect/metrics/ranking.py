"""How well scores rank: exact figures over images and over pixels, in bounded memory.

A higher score is worse; label 1 is defective, 0 good. A figure that is undefined, for want of positives or of
negatives, is None. Scores are never binned, clamped or rounded: ROC-AUC, average precision, the best F1 and the
per-region overlap depend on the negatives only through how many of them lie between neighbouring scores of positives.
So only the positives are sorted; the negatives stream through a jitted binary search in chunks of fixed size and leave
integer counts, from which everything follows in float64.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy  # Loads ndimage where it is first used: 0.2 s that a start does not pay.
from jax import Array

from jaxdefect.metrics import float_keys
from jaxdefect.metrics.threshold import exact_scores

PRO_LIMIT = 0.3  # highest false-positive rate of the per-region overlap, as published with MVTec AD
CURVE_POINTS = 500
CHUNK = 2**20  # pixels per call: 8 MB in flight; larger ones are no faster
NO_PIXEL = 2**31 - 1  # the bits of a NaN, which no score has; ordered behind +inf


class Counts(NamedTuple):
    """All that ranking figures need. Counts over the same scores add up: those of two sets of images to their union.

    scores [K]: distinct scores of positives, falling. positives [K]: positives of that score. tied [K]: negatives of
    that score. above [K]: negatives between it and the next higher one. negatives: all of them.
    overlap [K]: sum over the positives of that score of 1 / area of their region; regions: how many (pixels only).
    """

    scores: np.ndarray
    positives: np.ndarray
    tied: np.ndarray
    above: np.ndarray
    negatives: int
    overlap: np.ndarray
    regions: int

    def union(self, other: "Counts") -> "Counts":
        return Counts(self.scores, *(ours + theirs for ours, theirs in zip(self[1:], other[1:], strict=True)))


def image_counts(scores: Sequence[float], labels: Sequence[int]) -> Counts:
    """Counts over images; scores [N], ordered as float64, labels [N]. ValueError for NaN and labels not in {0, 1}."""
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels)
    if scores.shape != labels.shape or scores.ndim != 1:
        raise ValueError(f"{scores.shape} scores and {labels.shape} labels: one of each per image is needed")
    wrong = np.isnan(scores) | ~np.isin(labels, (0, 1))
    if wrong.any():
        index = int(wrong.argmax())
        raise ValueError(f"image {index} has score {scores[index]}, label {labels[index]}; no NaN; label 0 or 1")
    positive, negative = scores[labels == 1], np.sort(scores[labels == 0])
    rising, positives = np.unique(positive, return_counts=True)
    first, last = (np.searchsorted(negative, rising, side=side) for side in ("left", "right"))
    above = np.append(first[1:], negative.size) - last
    return Counts(
        rising[::-1], positives[::-1], (last - first)[::-1], above[::-1], negative.size, np.zeros(rising.size), 0
    )


def pixel_counts(
    maps: Sequence[Array], masks: Sequence[Array], *, images: Iterable[int] | None = None, scores: Array | None = None
) -> Counts:
    """Counts over the pixels of the given images (indices; all by default).

    maps: float32 [H, W], masks: {0, 1} [H, W]; sizes may differ between images, which are read one at a time, three
    times: any sequence will do, also one that reads from disk. scores: falling scores to count between, at least those
    of all positives (`positive_scores`), for counts that are to be united. Regions are the 8-connected components
    of a mask. Memory beyond the input: some 200 bytes per positive pixel and a few copies of one chunk.
    Raises ValueError naming the image for NaN, a dtype float32 would coarsen, and a mask of another shape.
    """
    images = range(len(maps)) if images is None else list(images)
    scores = positive_scores(maps, masks, images=images) if scores is None else scores
    rising = scores[::-1]
    positives, overlap = np.zeros(scores.size, np.int64), np.zeros(scores.size)
    regions = pixels = 0
    for index in images:
        image, mask = pixels_of(maps, masks, index)
        pixels += mask.size
        if mask.any():
            labels, count = scipy.ndimage.label(mask, np.ones((3, 3), int))
            area = np.bincount(labels.ravel())
            which = np.searchsorted(rising, image[mask])
            np.add.at(positives, which, 1)
            np.add.at(overlap, which, 1 / area[labels[mask]])
            regions += count
    negatives = pixels - int(positives.sum())
    tied, above = _count_negatives(maps, masks, images, rising, negatives)
    return Counts(scores, positives[::-1], tied, above, negatives, overlap[::-1], regions)


def positive_scores(
    maps: Sequence[Array], masks: Sequence[Array], *, images: Iterable[int] | None = None
) -> np.ndarray:
    """The distinct scores of defective pixels, float32, falling. Errors as in `pixel_counts`."""
    scores = [np.zeros(0, np.float32)]
    for index in range(len(maps)) if images is None else images:
        image, mask = pixels_of(maps, masks, index)
        scores.append(np.unique(image[mask]))
    return np.unique(np.concatenate(scores))[::-1]


def area_under_roc(counts: Counts) -> float | None:
    """The probability that a positive scores higher than a negative, a tie counting one half."""
    return _area(*_path(counts, counts.positives, counts.positives.sum()), limit=1.0)


def average_precision(counts: Counts) -> float | None:
    """Precision at each score weighted by the gain in recall there; no interpolation, as in scikit-learn."""
    if not counts.positives.sum():
        return None
    hits, alarms = _cumulative(counts)
    return float(np.sum(counts.positives / hits[-1] * (hits / np.maximum(hits + alarms, 1))))


def best_f1(counts: Counts) -> dict:
    """{"f1", "threshold"}: the best F1 over all thresholds, attained strictly above the given one.

    It needs the test labels: a bound on what a threshold can reach, not a result. Of equals the highest is given, as
    the next number below the lowest score flagged; None where nothing less than -inf itself would have to be flagged.
    """
    if not counts.positives.sum():
        return {"f1": None, "threshold": None}
    hits, alarms = _cumulative(counts)
    f1 = 2 * hits / (hits + alarms + hits[-1])
    best = int(f1.argmax())
    threshold = np.nextafter(counts.scores[best], counts.scores.dtype.type(-np.inf))
    return {"f1": float(f1[best]), "threshold": float(threshold) if np.isfinite(threshold) else None}


def per_region_overlap(counts: Counts, *, limit: float = PRO_LIMIT) -> float | None:
    """Area under the mean share of each region found over the false-positive rate, up to `limit`, divided by it.

    Every distinct score is a point of the curve; in between, and at the limit, it is linear.
    Source: Bergmann et al., The MVTec Anomaly Detection Dataset, IJCV 2021, and the evaluation code published with it.
    """
    return _area(*_path(counts, counts.overlap, counts.regions), limit=limit)


def curves(counts: Counts, *, points: int = CURVE_POINTS) -> dict:
    """{"roc": [[fpr, tpr]..], "pr": [[recall, precision]..]}, and for pixels "pro": [[fpr, overlap]..] up to its limit.

    At most `points` each, at even distances along the curve; undefined curves are empty.
    """
    thinned = {"roc": _thin(*_path(counts, counts.positives, counts.positives.sum()), points)}
    hits, alarms = _cumulative(counts)
    scored = hits + alarms > 0
    recall, precision = hits[scored] / max(hits[-1:].sum(), 1), hits[scored] / (hits + alarms)[scored]
    start = [1.0] * bool(recall.size)
    thinned["pr"] = _thin(np.append(np.zeros(len(start)), recall), np.append(start, precision), points)
    if counts.regions:
        thinned["pro"] = _thin(*_cut(*_path(counts, counts.overlap, counts.regions), PRO_LIMIT), points)
    return thinned


def pixels_of(maps: Sequence[Array], masks: Sequence[Array], index: int) -> tuple[np.ndarray, np.ndarray]:
    image, mask = exact_scores(maps[index], index), np.asarray(masks[index]) != 0
    if image.shape != mask.shape or mask.ndim != 2:
        raise ValueError(f"image {index}: map {image.shape} and mask {mask.shape} must be the same [H, W]")
    return image, mask


def _count_negatives(
    maps: Sequence[Array], masks: Sequence[Array], images: Iterable[int], rising: np.ndarray, negatives: int
) -> tuple[np.ndarray, np.ndarray]:
    """Negatives tied with each score, and between it and the next higher one: int64 [K] each, scores falling."""
    if negatives >= 2**32:
        raise ValueError(f"{negatives} good pixels overflow the 32-bit counters; evaluate fewer images at once")
    if not rising.size or not negatives:
        return np.zeros(rising.size, np.int64), np.zeros(rising.size, np.int64)
    # Powers of two: a handful of compilations serve every number of scores and of pixels.
    bits = np.full(1 << rising.size.bit_length(), NO_PIXEL, np.int32)
    bits[: rising.size] = rising.view(np.int32)
    keys = _keys_of(jax.device_put(bits))
    tally = jax.device_put(np.zeros(2 * keys.size, np.uint32))
    for chunk in _chunks(maps, masks, images, min(CHUNK, max(2**12, 1 << negatives.bit_length()))):
        # Neighbours then search the same part of the table: 3 ms that save 20 ms where the table outgrows the cache.
        chunk.sort()
        # Waiting for the last chunk while the next one is read keeps both busy, and bounds what is in flight.
        tally = _count(jax.block_until_ready(tally), keys, jax.device_put(chunk))
    between_and_tied = jax.device_get(tally).astype(np.int64).reshape(-1, 2)
    return between_and_tied[: rising.size, 1][::-1], between_and_tied[1 : rising.size + 1, 0][::-1]


def _chunks(maps: Sequence[Array], masks: Sequence[Array], images: Iterable[int], size: int):
    """The bits of all good pixels, int32 [size], in fresh buffers, since the device may read them in place."""
    chunk, filled = np.full(size, NO_PIXEL, np.int32), 0
    for index in images:
        image, mask = pixels_of(maps, masks, index)
        bits = np.where(mask, np.int32(NO_PIXEL), image.view(np.int32)).ravel()
        while bits.size:
            part = bits[: size - filled]
            chunk[filled : filled + part.size] = part
            bits, filled = bits[part.size :], filled + part.size
            if filled == size:
                yield chunk
                chunk, filled = np.full(size, NO_PIXEL, np.int32), 0
    if filled:
        yield chunk


_keys_of = jax.jit(float_keys.of_bits)


@partial(jax.jit, donate_argnums=0)
def _count(tally: Array, keys: Array, bits: Array) -> Array:
    """tally [2 * K]: how many lie below key k but above the one before, how many at key k; alternating."""
    pixels = float_keys.of_bits(bits)
    index = jnp.searchsorted(keys, pixels, method="scan")
    return tally.at[2 * index + (keys[index] == pixels)].add(1)


def _cumulative(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives when everything down to each score is flagged."""
    return np.cumsum(counts.positives), np.cumsum(counts.above + counts.tied)


def _path(counts: Counts, gains: np.ndarray, total: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the curve that rises by `gains` (of `total`) at each score, over the false-positive rate.

    From (0, 0) to (1, 1), empty where undefined; level between scores, a slope where positives and negatives tie.
    """
    if not total or not counts.negatives:
        return np.zeros(0), np.zeros(0)
    after = np.cumsum(counts.above + counts.tied)
    height = np.cumsum(gains) / total
    rate = np.stack([after - counts.tied, after], axis=1).ravel() / counts.negatives
    height = np.stack([np.append(0, height[:-1]), height], axis=1).ravel()
    return np.concatenate([[0.0], rate, [1.0]]), np.concatenate([[0.0], height, [1.0]])


def _cut(x: np.ndarray, y: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    end = int(np.searchsorted(x, limit, side="right"))
    if end == x.size:
        return x, y
    at_limit = y[end - 1] + (y[end] - y[end - 1]) * (limit - x[end - 1]) / (x[end] - x[end - 1])
    return np.append(x[:end], limit), np.append(y[:end], at_limit)


def _area(x: np.ndarray, y: np.ndarray, *, limit: float) -> float | None:
    return float(np.trapezoid(*reversed(_cut(x, y, limit)))) / limit if x.size else None


def _thin(x: np.ndarray, y: np.ndarray, points: int) -> list[list[float]]:
    if x.size > points:
        length = np.append(0.0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
        keep = np.unique(np.searchsorted(length, np.linspace(0, length[-1], points)))
        x, y = x[keep], y[keep]
    return np.stack([x, y], axis=1).tolist()
