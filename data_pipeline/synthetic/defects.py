"""Ten kinds of defects after DAGM2007, each painted into an ellipse that is its weak label.

The ellipse comes first: its area is log-normal about the median of the published labels, clipped to their range and
scaled with the image. A painter then draws inside it, so that the label holds the defect by construction. A defect is
`background + contrast * strength * cover * (ink - background)` with a strength of its own, so that some are faint; its
exact mask is where cover > 0.
Places are (row, column) in pixels; areas are in pixels of a 512 x 512 image.
Source: M. Wieler, T. Hahn, F. A. Hamprecht, "Weakly supervised learning for industrial optical inspection", DAGM 2007.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import ndimage

STRENGTH = (0.6, 1.0)  # The range of a defect's own strength, drawn uniformly.

Painted = tuple[np.ndarray, np.ndarray | float]


class Ellipse(NamedTuple):
    """A label: middle (row, column), half axes major >= minor in pixels, angle of the major axis to the rows."""

    row: float
    column: float
    major: float
    minor: float
    angle: float


class Frame(NamedTuple):
    """The window about an ellipse that a painter sees, float32 [h, w] each.

    along and across are coordinates in pixels on the ellipse's axes, inner is 0 in the middle and 1 on its outline, and
    stroke is the half width of a line in pixels.
    """

    background: np.ndarray
    along: np.ndarray
    across: np.ndarray
    inner: np.ndarray
    ellipse: Ellipse
    stroke: float


class Kind(NamedTuple):
    """A kind of defect: the areas of its labels, the range of major / minor, and what paints it.

    paint(rng, frame) returns cover, float32 [h, w] in [0, 1], and the ink's grey levels, [h, w] or one for all.
    """

    name: str
    median_area: float
    smallest_area: float
    largest_area: float
    aspect: tuple[float, float]
    paint: Callable[[np.random.Generator, Frame], Painted]


def add_defect(
    rng: np.random.Generator, background: np.ndarray, kind: Kind, *, contrast: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Paints one defect onto a background of grey levels, float32 [H, W], which stays as it is.

    Returns the image (float32 [H, W], not yet clipped) and two masks (uint8 [H, W], 1 inside): the exact pixels of
    the defect and its ellipse.
    """
    height, width = background.shape
    ellipse = draw_ellipse(rng, kind, height, width)
    reach = int(np.ceil(ellipse.major)) + 2
    rows = slice(max(0, int(ellipse.row) - reach), int(ellipse.row) + reach + 1)
    columns = slice(max(0, int(ellipse.column) - reach), int(ellipse.column) + reach + 1)
    frame = _frame(background[rows, columns], rows.start, columns.start, ellipse, min(height, width) / 512)
    cover, ink = kind.paint(rng, frame)
    strength = contrast * rng.uniform(*STRENGTH)
    # Fainter than a quarter is left out: nobody would outline it, and the exact mask ends where the change ends.
    cover = np.where((cover >= 0.25) & (frame.inner <= 1), np.minimum(cover, 1), 0).astype(np.float32)
    cover[np.unravel_index(np.argmin(frame.inner), cover.shape)] += not cover.any()
    image, (mask, label) = background.copy(), np.zeros((2, height, width), np.uint8)
    image[rows, columns] += strength * cover * (ink - frame.background)
    mask[rows, columns] = cover > 0
    label[rows, columns] = frame.inner <= 1
    return image, mask, label


def draw_ellipse(rng: np.random.Generator, kind: Kind, height: int, width: int) -> Ellipse:
    """An ellipse of the kind's size, wholly inside an image of height x width pixels."""
    scale = min(height, width) / 512
    spread = min(0.6, np.log(kind.largest_area / kind.smallest_area) / 5)
    area = np.clip(kind.median_area * np.exp(spread * rng.standard_normal()), kind.smallest_area, kind.largest_area)
    area = max(area * scale**2, 12.0)
    major = min(np.sqrt(area * rng.uniform(*kind.aspect) / np.pi), 0.49 * min(height, width))
    minor, angle = area / (np.pi * major), rng.uniform(0, np.pi)
    half_height = np.hypot(major * np.sin(angle), minor * np.cos(angle))
    half_width = np.hypot(major * np.cos(angle), minor * np.sin(angle))
    row = rng.uniform(half_height, height - 1 - half_height)
    column = rng.uniform(half_width, width - 1 - half_width)
    return Ellipse(row, column, major, minor, angle)


def _frame(background: np.ndarray, top: int, left: int, ellipse: Ellipse, scale: float) -> Frame:
    y = np.arange(background.shape[0], dtype=np.float32)[:, None] + np.float32(top - ellipse.row)
    x = np.arange(background.shape[1], dtype=np.float32)[None] + np.float32(left - ellipse.column)
    cosine, sine = np.float32(np.cos(ellipse.angle)), np.float32(np.sin(ellipse.angle))
    along, across = cosine * x + sine * y, cosine * y - sine * x
    inner = np.hypot(along / np.float32(ellipse.major), across / np.float32(ellipse.minor))
    return Frame(background, along, across, inner, ellipse, max(1.1, 2.2 * scale))


def blurred_patch(rng: np.random.Generator, frame: Frame) -> Painted:
    """Surface 1: a smooth patch where the weave is worn off; what is left is its mean."""
    angle = np.arctan2(frame.across / frame.ellipse.minor, frame.along / frame.ellipse.major)
    lobes = rng.uniform(0, 0.16, 2)
    outline = 0.7 + lobes[0] * np.cos(2 * angle) + lobes[1] * np.cos(3 * angle + rng.uniform(0, 6))
    worn = ndimage.gaussian_filter(frame.background, 8) + 3 * rng.standard_normal(frame.background.shape, np.float32)
    return _soft((outline - frame.inner) * frame.ellipse.minor), worn


def dark_line(rng: np.random.Generator, frame: Frame) -> Painted:
    """Surface 2: a thin dark curved line."""
    sag = rng.uniform(0.3, 1.5)
    return _line(frame, lambda u: sag * (u**2 - 0.5)), 14.0


def white_bump(rng: np.random.Generator, frame: Frame) -> Painted:
    """Surface 3: a small white ragged bump."""
    return _crumbs(rng, frame, share=0.12, spread=0.42), 225 + 14 * rng.standard_normal(frame.inner.shape, np.float32)


def dark_arc(rng: np.random.Generator, frame: Frame) -> Painted:
    """Surface 4: a thin dark arc, nearly straight."""
    sag = rng.uniform(-0.3, 0.3)
    return 0.8 * _line(frame, lambda u: sag * (1 - 2 * u**2)), 96.0


def dark_hatching(rng: np.random.Generator, frame: Frame) -> Painted:
    """Surface 5: a square of fine dark hatching."""
    half = 0.45 * np.sqrt(frame.ellipse.major * frame.ellipse.minor)
    edge = np.minimum(half - np.abs(frame.along), 0.9 * half - np.abs(frame.across))
    stripes = 0.5 + 0.5 * np.cos(frame.along * (2 * np.pi / max(3.5, 2.6 * frame.stroke)) + rng.uniform(0, 6))
    return _soft(edge) * (0.27 + 0.73 * np.float32(stripes)), 25.0


def dark_band(rng: np.random.Generator, frame: Frame) -> Painted:
    """Surface 6: a long wide dark band in which a few white grains survive."""
    del rng  # The band is as irregular as the speckle below it.
    return np.clip(2 * (1 - frame.inner**2), 0, 1), 255 * (frame.background / 255) ** 4


def bright_scratch(rng: np.random.Generator, frame: Frame) -> Painted:
    """Surface 7: a thin bright scratch, curved and tapering."""
    bend, turn = rng.uniform(-0.7, 0.7, 2)
    return 0.9 * _line(frame, lambda u: bend * (1 - 2 * u**2) + turn * (u**3 - u), taper=0.6), 208.0


def white_cluster(rng: np.random.Generator, frame: Frame) -> Painted:
    """Surface 8: a small cluster of white crumbs."""
    return _crumbs(rng, frame, share=0.22, spread=0.6), 240 + 8 * rng.standard_normal(frame.inner.shape, np.float32)


def dark_ring(rng: np.random.Generator, frame: Frame) -> Painted:
    """Surface 9: a small dark ring with a light centre."""
    radius = rng.uniform(0.5, 0.65)
    distance = (frame.inner - radius) * frame.ellipse.minor
    ring = _soft(frame.stroke - np.abs(distance))
    return np.maximum(ring, _soft(-distance) * 0.6), np.where(ring > 0.3, 66.0, 178.0).astype(np.float32)


def dark_hook(rng: np.random.Generator, frame: Frame) -> Painted:
    """Surface 10: a thin dark line that ends in a hook."""
    lift = rng.uniform(1.2, 1.6)
    return 0.85 * _line(frame, lambda u: lift * ((u + 1) / 2) ** 3 - 0.7), 92.0


def _soft(depth: np.ndarray) -> np.ndarray:
    """Cover of a shape whose edge lies at depth 0, in pixels: one pixel of smooth edge."""
    return np.clip(depth + 0.5, 0, 1)


def _line(frame: Frame, bow: Callable[[np.ndarray], np.ndarray], *, taper: float = 0.25) -> np.ndarray:
    """Cover of a line along the major axis at across = minor * bow(u), u from -1 to 1 from end to end."""
    length = 0.92 * frame.ellipse.major
    u = np.clip(frame.along / length, -1, 1)
    step = 1e-2
    bowed = frame.ellipse.minor * bow(u)
    slope = (frame.ellipse.minor * bow(u + step) - bowed) / (step * length)
    distance = np.abs(frame.across - bowed) / np.sqrt(1 + slope**2)
    half_width = frame.stroke * (1 - taper * u**2)
    return np.minimum(_soft(half_width - distance), _soft(length - np.abs(frame.along)))


def _crumbs(rng, frame: Frame, *, share: float, spread: float) -> np.ndarray:
    """Cover of the highest `share` of an ellipse's area in noise that is heaped up in its middle."""
    heap = ndimage.gaussian_filter(rng.standard_normal(frame.inner.shape, np.float32), 1.6)
    heap = heap / heap.std() - 1.5 * np.square(frame.inner / spread)
    pixels = min(heap.size - 1, max(3, int(share * np.pi * frame.ellipse.major * frame.ellipse.minor)))
    return (heap > np.partition(heap, -pixels - 1, axis=None)[-pixels - 1]).astype(np.float32)


KINDS = {
    1: Kind("blurred_patch", 8046, 3886, 24972, (1.1, 2.0), blurred_patch),
    2: Kind("dark_line", 2209, 607, 16421, (1.3, 3.0), dark_line),
    3: Kind("white_bump", 3117, 1103, 12377, (1.1, 2.5), white_bump),
    4: Kind("dark_arc", 7021, 2260, 13721, (3.0, 6.0), dark_arc),
    5: Kind("dark_hatching", 4695, 1447, 9107, (1.2, 2.0), dark_hatching),
    6: Kind("dark_band", 22316, 12426, 24523, (7.0, 9.0), dark_band),
    7: Kind("bright_scratch", 8434, 3845, 32072, (2.0, 4.5), bright_scratch),
    8: Kind("white_cluster", 925, 2, 18743, (1.0, 2.0), white_cluster),
    9: Kind("dark_ring", 955, 724, 1250, (1.0, 1.25), dark_ring),
    10: Kind("dark_hook", 2719, 959, 12669, (1.1, 2.0), dark_hook),
}
