"""The defects of an image one by one: where each is, how large, how strongly the map speaks of it."""

from typing import NamedTuple

import numpy as np
import scipy.ndimage

DIRECTIONS = 64  # in which a defect's extent is taken: the longest is at most 0.03 % longer


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

    All at once, not one by one: a noisy map has thousands.
    """
    labels, count = scipy.ndimage.label(mask, np.ones((3, 3)))
    if not count:
        return []
    rows, columns = np.nonzero(labels)
    numbers = labels[rows, columns]
    order = np.argsort(numbers, kind="stable")  # By defect, then by row, then by column.
    numbers, rows, columns = numbers[order], rows[order], columns[order]
    scores = anomaly_map[rows, columns].astype(np.float64)
    starts = np.flatnonzero(np.diff(numbers, prepend=0))
    area = np.diff(starts, append=len(numbers))
    least, most, total = (lambda values, of=of: of.reduceat(values, starts) for of in (np.minimum, np.maximum, np.add))
    found = zip(
        least(rows), least(columns), most(rows) + 1, most(columns) + 1, area, total(rows) / area, total(columns) / area,
        extents(numbers, rows, columns), most(scores), total(scores) / area, strict=True,
    )  # fmt: skip
    return sorted((Region(*(value.item() for value in values)) for values in found), key=lambda one: -one.area)


def extents(numbers: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The longest extent of each defect, from corner to corner of its pixels (the maximal Feret diameter).

    numbers, rows, columns: of its pixels, in rising order.
    """
    angles = np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    down, across = np.sin(angles), np.cos(angles)
    # Of each row of a defect its first and last pixel are enough: none between them lies further out.
    first = np.flatnonzero((np.diff(numbers, prepend=-1) != 0) | (np.diff(rows, prepend=-1) != 0))
    ends = np.sort(np.concatenate([first, np.append(first[1:], len(rows)) - 1]))
    along = np.outer(rows[ends], down) + np.outer(columns[ends], across)
    starts = np.flatnonzero(np.diff(numbers[ends], prepend=-1))
    width = np.maximum.reduceat(along, starts) - np.minimum.reduceat(along, starts)
    return (width + np.abs(down) + np.abs(across)).max(1)
