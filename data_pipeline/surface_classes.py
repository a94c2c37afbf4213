"""DAGM_MIX: surfaces are the classes, good and defective images of each alike, and some surfaces are never seen.

From any dataset whose records name surfaces: as many good as defective images of each, defective ones also turned,
mirrored, brightened and darkened until there are enough. Labels then say whether a surface is an unseen one; whether an
image has a defect, and where, is still in its kind and its mask.

Source: Cheng and Yeh, Two-Stage Metal Surface Defect Detection and Classification System Based on VAEGAN and
Class-Embedding, EAI Endorsed Transactions on AI and Robotics 2023, Section 4.1. It splits after augmentation, so that
copies of one image are trained and tested on; here a copy stays in the part of its source unless that is asked for.
"""

import functools
import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from data_pipeline.prepared import Entry
from data_pipeline.record import PART, Record, Sample, read

Labelled = TypeVar("Labelled", Record, Entry, Sample)


def balanced(records: Sequence[Record], *, per_surface: int, seed: int, split_after_augmentation: bool) -> list[Record]:
    """At most per_surface good and per_surface defective images of each surface and part; fewer defective ones are
    augmented up to it in the training part, or (split_after_augmentation) in both parts together, which are then one.

    In the test part good images are left out until there are as many as defective ones. Raises ValueError for a
    surface without defective images, or records that name no surfaces.
    """
    if per_surface < 1:
        raise ValueError(f"data.per_surface = {per_surface}; images of each surface: use 1 or more, such as 300")
    records = [record._replace(split="") for record in records] if split_after_augmentation else list(records)
    chosen: list[Record] = []
    for surface in sorted({record.surface for record in records}):
        of_surface = [record for record in records if record.surface == surface]
        if not surface or not any(record.label for record in of_surface):
            lacks = "no defective image" if surface else "no name"
            raise ValueError(f"surface {surface!r} has {lacks}; data.surfaces_as_classes tells surfaces apart by good "
                             "and defective images of each")  # fmt: skip
        for split in sorted({record.split for record in of_surface}):
            part = sorted((r for r in of_surface if r.split == split), key=lambda r: _draw(seed, r.id))
            good, bad = ([r for r in part if r.label == label][:per_surface] for label in (0, 1))
            chosen += good[: len(bad)] + bad if split == "test" else good + _augmented(bad, len(good))
    return chosen


def _draw(seed: int, id: str) -> bytes:
    return hashlib.sha256(f"{seed}/{id}".encode()).digest()


def _augmented(records: list[Record], count: int) -> list[Record]:
    """The records and, until there are `count`, copies of them: the first way of all, then the second ..."""
    ways = list(WAYS)
    copies = [(record, way) for way in ways for record in records][: max(0, count - len(records))]
    return records + [
        record._replace(id=f"{record.id}{PART}{way}", draw=functools.partial(_changed, record, way))
        for record, way in copies
    ]


def _changed(record: Record, way: str) -> tuple[np.ndarray, np.ndarray | None]:
    sample = read(record, channels=None)
    turn, gain = WAYS[way]
    image = np.clip(turn(sample.image) * np.float32(gain), 0, 255).round().astype(np.uint8)
    return image, None if sample.mask is None else np.ascontiguousarray(turn(sample.mask))


_turn = lambda times: lambda x: np.rot90(x, times)
WAYS = {  # name: (what is done to the image, the factor of its brightness)
    "turned180": (_turn(2), 1),
    "mirrored": (lambda x: x[:, ::-1], 1),
    "flipped": (lambda x: x[::-1], 1),
    "turned90": (_turn(1), 1),
    "turned270": (_turn(3), 1),
    "brighter": (lambda x: x, 1.15),
    "darker": (lambda x: x, 0.85),
    "turned180-brighter": (_turn(2), 1.15),
    "turned180-darker": (_turn(2), 0.85),
}


def is_copy(id: str) -> bool:
    """Whether an image of `balanced` was made from another."""
    return PART in id


def relabelled(image: Labelled, unseen: Sequence[str]) -> Labelled:
    """label 1 and the surface as kind where the surface is unseen, else 0 and "good"."""
    new = image.surface in unseen
    return image._replace(label=int(new), kind=image.surface if new else "good")
