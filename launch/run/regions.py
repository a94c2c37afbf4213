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
    """The defects that a mask bool [H, W] marks, the largest first, with scores of a map float32 [H, W]."""
    labels, _ = scipy.ndimage.label(mask, np.ones((3, 3)))
    found = []
    for number, place in enumerate(scipy.ndimage.find_objects(labels), start=1):
        rows, columns = np.nonzero(labels[place] == number)
        scores = anomaly_map[place][rows, columns]
        top, left = place[0].start, place[1].start
        found.append(Region(
            top, left, place[0].stop, place[1].stop, len(rows), float(rows.mean() + top), float(columns.mean() + left),
            longest(rows, columns), float(scores.max()), float(scores.mean()),
        ))  # fmt: skip
    return sorted(found, key=lambda region: -region.area)


def longest(rows: np.ndarray, columns: np.ndarray) -> float:
    """The longest extent of pixels, from corner to corner (the maximal Feret diameter). rows: in rising order."""
    angles = np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    down, across = np.sin(angles), np.cos(angles)
    # Of each row its first and last pixel are enough: none between them lies further out.
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    ends = np.concatenate([first, np.append(first[1:], len(rows)) - 1])
    along = np.outer(rows[ends], down) + np.outer(columns[ends], across)
    return float((along.max(0) - along.min(0) + np.abs(down) + np.abs(across)).max())
