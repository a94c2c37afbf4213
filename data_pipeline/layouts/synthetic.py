"""Images drawn on demand: ten surfaces after DAGM2007, each with its own kind of defect.

Nothing is read from disk. Every image depends only on (seed, surface, split, good or defective, number) and the
drawing options, never on the other images or on the order in which they are drawn.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from data_pipeline.record import Record
from data_pipeline.synthetic.defects import KINDS, add_defect
from data_pipeline.synthetic.textures import TEXTURES

# Raised when any image would come out differently, so that prepared copies are drawn anew.
VERSION = "1"
SURFACES = tuple(TEXTURES)
LABELS = ("exact", "ellipse")
SIZES = (64, 2048)


def records(
    root: object = None,
    *,
    seed: int = 0,
    surfaces: Sequence[int] = (4,),
    size: int | tuple[int, int] = 256,
    train: int = 40,
    train_defective: int = 0,
    test_good: int = 16,
    test_defective: int = 24,
    contrast: float = 1.0,
    labels: str = "exact",
) -> Iterator[Record]:
    """Lists the images of a synthetic set; pixels are drawn when `Record.draw` is called.

    surfaces are numbers from 1 to 10 (all ten, good and defective together, stand in for DAGM_MIX). size is one edge in
    pixels or (height, width), 64 to 2048; defects scale with the shorter edge, the grain does not. train (good ones),
    train_defective, test_good and test_defective count images per surface. contrast scales the defects' difference
    from the surface: 1 is visible but not glaring, 0 leaves nothing to find. labels "exact" masks the pixels a defect
    changed; "ellipse" gives weak labels like those of DAGM2007, which cover several times more: pixel figures on them
    are bounded far below 1.

    Raises ValueError for an option outside its range.
    """
    del root  # Nothing is read.
    size = (size, size) if isinstance(size, int) else tuple(size)
    _check(seed, surfaces, size, (train, train_defective, test_good, test_defective), contrast, labels)
    parts = (("train", 0, train), ("train", 1, train_defective), ("test", 0, test_good), ("test", 1, test_defective))
    return (
        _record(surface, split, label, number, partial(draw, seed=seed, size=size, contrast=contrast, labels=labels))
        for surface in surfaces
        for split, label, count in parts
        for number in range(count)
    )


def draw(
    surface: int,
    split: str,
    label: int,
    number: int,
    *,
    seed: int = 0,
    size: tuple[int, int] = (256, 256),
    contrast: float = 1.0,
    labels: str = "exact",
) -> tuple[np.ndarray, np.ndarray]:
    """Draws one image: image uint8 [height, width, 1] and mask uint8 [height, width], 1 on the defect.

    Surface and defect have random streams of their own: another contrast is the same defect on the same surface.
    """
    key = (seed, surface, ("train", "test").index(split), label, number)
    surface_rng, defect_rng = (np.random.default_rng((*key, stream)) for stream in (0, 1))
    image = TEXTURES[surface](surface_rng, *size)
    mask = np.zeros(size, np.uint8)
    if label:
        image, exact, ellipse = add_defect(defect_rng, np.clip(image, 0, 255), KINDS[surface], contrast=contrast)
        mask = exact if labels == "exact" else ellipse
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)[..., None], mask


def _record(surface: int, split: str, label: int, number: int, drawing: partial) -> Record:
    kind = KINDS[surface].name if label else "good"
    return Record(
        id=f"{split}/Class{surface}/{kind}/{number:04d}",
        image=None,
        mask=None,
        label=label,
        kind=kind,
        surface=f"Class{surface}",
        split=split,
        draw=partial(drawing, surface, split, label, number),
    )


def _check(seed, surfaces, size, counts, contrast, labels) -> None:
    if seed < 0:
        raise ValueError(f"seed {seed} is negative; give 0 or more")
    for surface in surfaces:
        if surface not in SURFACES:
            raise ValueError(
                f"surface {surface!r} is not drawn; surfaces are numbers from {SURFACES[0]} to {SURFACES[-1]}"
            )
    if not surfaces or len(set(surfaces)) != len(surfaces):
        raise ValueError(f"surfaces {tuple(surfaces)} must name at least one surface and none twice")
    if len(size) != 2 or not all(SIZES[0] <= edge <= SIZES[1] for edge in size):
        raise ValueError(f"size {size} must be one edge or (height, width), each from {SIZES[0]} to {SIZES[1]} pixels")
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        raise ValueError(
            f"train, train_defective, test_good, test_defective {counts} must be whole numbers of images, 0 or more"
        )
    if not 0 <= contrast < float("inf"):
        raise ValueError(f"contrast {contrast} must be 0 or more; 1 is the usual one")
    if labels not in LABELS:
        raise ValueError(f"labels {labels!r} are unknown; give one of {', '.join(LABELS)}")
