"""From scores to decisions. An image or a pixel is called defective where its score is strictly above the threshold.

A higher score is worse. A threshold is fitted on normal calibration images only, never on test images: on their
anomaly maps (float32 [H, W], sizes may differ) for a threshold of pixels, on their image scores for one of images.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdefect.detector import nearest
from jaxdefect.metrics import float_keys

RULES = ("pauta", "quantile", "otsu", "false_alarm_rate")
OTSU_BINS = 256
LEVELS = 100  # thresholds tried for each image


class Threshold(NamedTuple):
    """value in units of the score, None under `otsu`, which sets a level per image; the rest is for the reader."""

    value: float | None
    rule: str
    fitted_on: str
    warning: str | None = None


def fit(
    rule: str,
    maps_or_scores: Sequence,
    *,
    sigma: float = 3.0,
    quantile: float = 0.995,
    false_alarm_rate: float = 0.01,
) -> Threshold:
    """Fits a threshold on the maps, or the image scores, of normal calibration images.

    pauta: mean + sigma * standard deviation (of the population) over all pixels, or over the scores.
    quantile: the exact quantile of all pixels, or of the scores, interpolated linearly as numpy does.
    false_alarm_rate: the smallest threshold under which a further normal image is flagged with a probability of at
        most this rate, if it is exchangeable with the n calibration images: the ceil((n + 1)(1 - rate))-th smallest
        score. So at most this share of the calibration images is flagged, too. No threshold can promise less than
        1 / (n + 1); for such a rate the maximum is taken, and the threshold carries a warning. Given maps, an image's
        score is the maximum of its map.
    otsu: nothing is fitted; see `otsu`.

    maps_or_scores: a sequence of maps float32 [H, W], read up to three times, or of scores (any float; exact in
    float64). Memory beyond the input: a few copies of one map.
    Raises ValueError for an unknown rule, a parameter outside its range, an empty sequence, NaN, and under pauta for
    infinite scores. Source: pauta is the 3-sigma rule of ReNet-D and MSCDAE; the rank is that of split conformal
    prediction (Vovk et al., Algorithmic Learning in a Random World, 2005).
    """
    if rule not in RULES:
        raise ValueError(f"unknown threshold rule {rule!r}{nearest(rule, RULES)}")
    count = len(maps_or_scores)
    if not count:
        raise ValueError(f"threshold rule {rule!r} needs normal calibration images, got none")
    fitted_on = f"{count} normal calibration image{'s' if count > 1 else ''}"
    if rule == "otsu":
        return Threshold(None, "otsu of each image", "each image's own map")
    scores = _image_scores(maps_or_scores) if np.ndim(maps_or_scores[0]) == 0 else None
    if rule == "pauta":
        _check(0 <= sigma < math.inf, "sigma", sigma, "a finite number >= 0")
        exact = (exact_scores(pixels, index) for index, pixels in enumerate(maps_or_scores))
        value = _pauta(exact if scores is None else scores[:, None], sigma)
        warning = "pauta: the standard deviation of a single score is 0" if scores is not None and count == 1 else None
        return Threshold(value, f"pauta mean + {sigma} std", fitted_on, warning)
    if rule == "quantile":
        _check(0 <= quantile <= 1, "quantile", quantile, "a share in [0, 1]")
        value, warning = _quantile(maps_or_scores, quantile) if scores is None else _quantile_of(scores, quantile)
        return Threshold(value, f"quantile {quantile}", fitted_on, warning)
    _check(0 <= false_alarm_rate < 1, "false_alarm_rate", false_alarm_rate, "a share in [0, 1)")
    if scores is None:
        scores = np.array([exact_scores(m, i).max() for i, m in enumerate(maps_or_scores)], np.float64)
    value, warning = _conformal(scores, false_alarm_rate)
    return Threshold(value, f"false-alarm rate {false_alarm_rate}", fitted_on, warning)


def fit_f1(scores: Sequence[float], labels: Sequence[int]) -> Threshold:
    """The threshold of the best F1 on held-out good (label 0) and defective (1) images.

    It lies midway between the scores it parts; of equals the one with most room about it is taken. For methods that
    learn from defects; never of test images. Raises ValueError without images of both kinds, and for NaN.
    """
    scores, defective = _image_scores(scores), np.asarray(labels) == 1
    if not defective.any() or defective.all():
        raise ValueError(f"threshold rule 'f1' needs held-out images of both kinds, got {int(defective.sum())} "
                         f"defective of {len(scores)}; use another rule, or hold more out")  # fmt: skip
    levels = np.unique(scores)
    flagged = lambda of: len(of) - np.searchsorted(np.sort(of), levels)  # at each level and above it
    hits, alarms = flagged(scores[defective]), flagged(scores[~defective])
    f1 = 2 * hits / (hits + alarms + defective.sum())
    room = np.diff(levels, prepend=levels[0])
    best = max(range(len(levels)), key=lambda i: (f1[i], room[i]))
    value = np.mean(levels[max(best - 1, 0) : best + 1]) if best else np.nextafter(levels[0], -np.inf)
    warning = None if hits[best] > 1 else "the best F1 on held-out images is that of a single defective one"
    return Threshold(float(value), "best F1", f"{int(defective.sum())} defective and {int((~defective).sum())} good "
                     "calibration images", warning)  # fmt: skip


def fit_mean_f1(maps: Sequence, masks: Sequence) -> Threshold:
    """The threshold of pixels with the best mean, over flawed images, of each image's F1: a large flaw counts no more
    than a small one, as it would where all pixels are pooled.

    maps: float32 [H, W] each, read twice; masks: [H, W] each, 1 where flawed; an image without such a pixel does not
    count. The thresholds tried lie just below LEVELS quantiles of the scores of each image's flawed pixels; of equals
    the highest is taken. Raises ValueError where no image has a flawed pixel.
    """
    shares, scores_of = np.linspace(0, 1, LEVELS), lambda index: exact_scores(maps[index], index)
    flawed = [index for index, mask in enumerate(masks) if mask.any()]
    if not flawed:
        raise ValueError(f"none of {len(maps)} flawed images has a pixel that is outlined; use another rule for pixels")
    quantiles = np.concatenate([np.quantile(scores_of(index)[masks[index] > 0], shares) for index in flawed])
    levels = np.nextafter(np.unique(quantiles.astype(np.float32)), np.float32(-np.inf))
    above = lambda scores: scores.size - np.searchsorted(np.sort(scores, axis=None), levels, side="right")
    total = np.zeros(len(levels))
    for index in flawed:
        scores, inside = scores_of(index), masks[index] > 0
        total += 2 * above(scores[inside]) / (above(scores) + inside.sum())
    best = len(levels) - 1 - int(total[::-1].argmax())
    return Threshold(float(levels[best]), "best mean F1 of images", f"{len(flawed)} outlined flawed images")


@jax.jit
def otsu(maps: Array) -> Array:
    """The level that splits a map into two classes of greatest variance between them: maps [..., H, W] -> [...].

    Each map on its own, in 256 bins from its minimum to its maximum; the level is the centre of the last bin of the
    lower class, as in scikit-image. A constant map yields its value, so that nothing lies above. Maps are finite;
    anything else gives NaN, above which nothing lies either. Raises ValueError beyond 2^24 pixels per map.
    Source: Otsu, A threshold selection method from gray-level histograms, IEEE SMC 1979.
    """
    return jnp.vectorize(_otsu, signature="(h,w)->()")(maps)


def exact_scores(scores: Array, index: int) -> np.ndarray:
    """One image's scores as float32 on the host, without changing a single one.

    Raises ValueError, naming the image, for NaN, for no pixels, and for a dtype that float32 would coarsen.
    """
    scores = np.asarray(scores)
    if not np.can_cast(scores.dtype, np.float32):
        raise ValueError(
            f"the map of image {index} is {scores.dtype}, whose values float32 would merge; "
            "cast it to float32 first if that is precise enough"
        )
    if not scores.size:
        raise ValueError(f"the map of image {index} has no pixels: its shape is {scores.shape}")
    scores = scores.astype(np.float32, copy=False)
    if np.isnan(scores.min()):
        raise ValueError(f"the map of image {index} holds NaN in {np.isnan(scores).sum()} of {scores.size} pixels")
    return scores


def _otsu(pixels: Array) -> Array:
    if pixels.size > 2**24:
        raise ValueError(f"Otsu's sums of {pixels.size} pixels overflow 32 bits; the limit is 2^24 pixels per map")
    pixels = pixels.astype(jnp.float32)
    low, high = pixels.min(), pixels.max()
    width = (high - low) / OTSU_BINS
    edges = (low + width * jnp.arange(OTSU_BINS + 1)).at[-1].set(high)
    guess = jnp.clip(((pixels - low) / width).astype(jnp.int32), 0, OTSU_BINS - 1)
    # The division may round over an edge; the edges decide, as in numpy.histogram.
    guess = guess - (pixels < edges[guess])
    inside = guess + ((pixels >= edges[guess + 1]) & (guess < OTSU_BINS - 1))
    counts = jnp.bincount(inside.ravel(), length=OTSU_BINS).astype(jnp.uint32)
    # Integer sums of bin numbers: over a gap in the histogram the variance stays the same to the last bit, so the
    # first bin of the gap wins, whatever the device's order of summation.
    below = jnp.cumsum(counts)[:-1]
    sum_below = jnp.cumsum(counts * jnp.arange(OTSU_BINS, dtype=jnp.uint32))
    above, sum_above = pixels.size - below, sum_below[-1] - sum_below[:-1]
    distance = sum_below[:-1] / below - sum_above / above
    between = (below / pixels.size) * (above / pixels.size) * distance**2
    split = jnp.argmax(between)
    level = (edges[split] + edges[split + 1]) / 2
    return jnp.where(high > low, level, jnp.where(high == low, low, jnp.nan))


def _pauta(parts: Iterable[np.ndarray], sigma: float) -> float:
    count, mean, squares = 0, 0.0, 0.0
    for index, part in enumerate(parts):
        if not np.isfinite(part).all():
            raise ValueError(f"image {index} has infinite scores, of which no mean exists; use the rule 'quantile'")
        part_mean = part.mean(dtype=np.float64)
        distance, total = part_mean - mean, count + part.size
        # Chan's pairwise update: no sum of squares of large numbers that nearly cancel.
        squares += np.square(part - part_mean, dtype=np.float64).sum() + distance**2 * count * part.size / total
        mean, count = mean + distance * part.size / total, total
    return float(mean + sigma * math.sqrt(squares / count))


def _quantile_of(scores: np.ndarray, quantile: float) -> tuple[float, str | None]:
    return _between(np.sort(scores)[_ranks(scores.size, quantile)[0]], scores.size, quantile)


def _quantile(maps: Sequence, quantile: float) -> tuple[float, str | None]:
    """Selects by the upper, then the lower 16 bits of order-preserving keys: exact in 2^16 counters."""
    upper, count = np.zeros(2**16, np.int64), 0
    for index, pixels in enumerate(maps):
        keys = float_keys.of_scores(exact_scores(pixels, index))
        upper += np.bincount(keys >> 16, minlength=2**16)
        count += keys.size
    ranks, _ = _ranks(count, quantile)
    first_above = np.cumsum(upper)
    bins = np.searchsorted(first_above, ranks, side="right")
    lower = {int(chosen): np.zeros(2**16, np.int64) for chosen in bins}
    for index, pixels in enumerate(maps):
        keys = float_keys.of_scores(exact_scores(pixels, index))
        for chosen, counts in lower.items():
            counts += np.bincount(keys[keys >> 16 == chosen] & 0xFFFF, minlength=2**16)
    keys = []
    for rank, chosen in zip(ranks, bins, strict=True):
        within = rank - (first_above[chosen] - upper[chosen])
        keys.append(int(chosen) << 16 | int(np.searchsorted(np.cumsum(lower[int(chosen)]), within, side="right")))
    return _between(float_keys.to_scores(np.array(keys, np.uint32)), count, quantile)


def _ranks(count: int, quantile: float) -> tuple[np.ndarray, float]:
    """The two neighbouring ranks, from 0, and how far the quantile lies between them."""
    position = quantile * (count - 1)
    rank = math.floor(position)
    return np.array([rank, min(rank + 1, count - 1)]), position - rank


def _between(neighbours: np.ndarray, count: int, quantile: float) -> tuple[float, str | None]:
    below, above = (float(score) for score in neighbours)
    share = _ranks(count, quantile)[1]
    value = below if share == 0 or below == above else below + share * (above - below)
    if count * (1 - quantile) > 1 - 1e-9:
        return value, None
    needed = f"at least {math.ceil(1 / (1 - quantile) - 1e-9)}" if quantile < 1 else "a quantile below 1"
    return value, f"a quantile of {quantile} over {count} scores is hardly more than their maximum; take {needed}"


def _conformal(scores: np.ndarray, rate: float) -> tuple[float, str | None]:
    count = scores.size
    # 1e-9: (n + 1) * rate is meant as a whole number where it is one but for the rounding of the rate.
    flagged = math.floor((count + 1) * rate + 1e-9) - 1
    if flagged >= 0:
        return float(np.sort(scores)[count - 1 - flagged]), None
    needed = f"take at least {math.ceil(1 / rate - 1e-9) - 1}" if rate else "only a rate above 0 can be certified"
    return float(scores.max()), (
        f"{count} normal calibration images cannot certify a false-alarm rate below 1/{count + 1}, and {rate} was "
        f"asked for; the threshold is their maximum; {needed}"
    )


def _image_scores(scores: Sequence) -> np.ndarray:
    scores = np.asarray(scores, np.float64)
    if np.isnan(scores).any():
        raise ValueError(f"the score of image {int(np.isnan(scores).argmax())} is NaN")
    return scores


def _check(holds: bool, name: str, value: float, rule: str) -> None:
    if not holds:
        raise ValueError(f"{name} = {value} is not {rule}")
