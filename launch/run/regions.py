"""The defects of an image one by one: where each is, how large, how strongly the map speaks of it."""

from typing import NamedTuple

import numpy as np
import scipy  # Loads ndimage where it is first used: 0.2 s that a start does not pay.

DIRECTIONS = 64  # in which a defect's extent is taken: the longest is at most 0.03 % longer
AT_ONCE = 2**22  # numbers, to bound memory


class Region(NamedTuple):
    """A connected defect (pixels that touch at a corner are connected), in pixels of the original image."""

    top: int
    left: int
    bottom: int  # the first row below it
    right: int  # the first column beside it
    area: int
    row: float  # of its centre of mass
    column: float
    extent: float  # its longest, from corner to corner of its pixels
    peak: float  # highest score of its pixels
    mean: float


def regions(mask: np.ndarray, anomaly_map: np.ndarray) -> list[Region]:
    """The defects that a mask bool [H, W] marks, the largest first, with scores of a map float32 [H, W].

    All at once, not one by one: a noisy map has thousands. What is counted are runs, marked pixels side by side in a
    row, which are few where a defect is large: an image of 8000 x 8000 has 64 million pixels.
    """
    labels, count = scipy.ndimage.label(mask, np.ones((3, 3)))
    if not count:
        return []
    row, edge = np.nonzero(np.diff(mask, axis=1, prepend=False, append=False))
    row, left, right = row[::2], edge[::2], edge[1::2]  # Where a run begins, and the first pixel beside it.
    flat, width = anomaly_map.ravel(), mask.shape[1]
    between = np.stack([row * width + left, row * width + right], 1).ravel()
    between = between[: len(between) - (between[-1] == flat.size)]
    run_peak = np.maximum.reduceat(flat, between)[::2]
    run_sum = np.add.reduceat(flat, between, dtype=np.float64)[::2]
    numbers = labels[row, left]
    order = np.argsort(numbers, kind="stable")  # By defect, then by row, then by column.
    numbers, row, left, right = numbers[order], row[order], left[order], right[order]
    starts = np.flatnonzero(np.diff(numbers, prepend=0))
    least, most, total = (lambda values, of=of: of.reduceat(values, starts) for of in (np.minimum, np.maximum, np.add))
    length = right - left
    area = total(length)
    found = zip(
        least(row), least(left), most(row) + 1, most(right), area, total(row * length) / area,
        total((left + right - 1) * length) / (2 * area), extents(numbers, row, left, right), most(run_peak[order]),
        total(run_sum[order]) / area, strict=True,
    )  # fmt: skip
    return sorted((Region(*(value.item() for value in values)) for values in found), key=lambda one: -one.area)


def extents(numbers: np.ndarray, row: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The longest extent of each defect, from corner to corner of its pixels (the maximal Feret diameter).

    numbers, row, left, right: of its runs, in rising order.
    """
    # Of each row of a defect its first and last pixel are enough: none between them lies further out.
    first = np.flatnonzero((np.diff(numbers, prepend=-1) != 0) | (np.diff(row, prepend=-1) != 0))
    last = np.append(first[1:], len(row)) - 1
    row, left, right = row[first], left[first], right[last] - 1
    starts = np.flatnonzero(np.diff(numbers[first], prepend=-1))
    longest = np.zeros(len(starts))
    at_once = max(1, AT_ONCE // len(row))
    for some in np.split(np.arange(DIRECTIONS), range(at_once, DIRECTIONS, at_once)):
        down, across = np.sin(np.pi * some / DIRECTIONS), np.cos(np.pi * some / DIRECTIONS)
        ends = np.outer(row, down) + np.outer(left, across), np.outer(row, down) + np.outer(right, across)
        apart = np.maximum.reduceat(np.maximum(*ends), starts) - np.minimum.reduceat(np.minimum(*ends), starts)
        longest = np.maximum(longest, (apart + np.abs(down) + np.abs(across)).max(1))
    return longest
