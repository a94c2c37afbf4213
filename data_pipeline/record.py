"""What one image of a dataset is: `Record` before its pixels are read, `Sample` after.

Images on the host are uint8 [H, W, C] with C = 1 (grey) or 3 (RGB); masks are uint8 [H, W], 1 where the defect is.
label is 1 for a defective image and 0 for a good one; kind is "good" or the kind of defect; surface is the class of
material (a fabric, a rail type, a DAGM class) or "" where the set has one; id is unique, readable and the same on every
machine ("test/crack/003"): splits are drawn from it.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_pipeline import images

VERSION = "1.1.0"  # Raise it when `images` or `read` would give other pixels for the same file.
PART = "//"  # between the id of an image and what of it this is, or what was done to it; in no name of a file


def source(id: str) -> str:
    """The id of the image that a part or a copy was made from; a whole image's own."""
    return id.partition(PART)[0]


class Entry(NamedTuple):
    """What is known of an image without decoding it.

    height and width are those after conversion, in pixels; has_mask is False for a defective image without a mask.
    """

    id: str
    kind: str
    surface: str
    label: int
    height: int
    width: int
    has_mask: bool


def digest(entries: Sequence[Sequence]) -> str:
    """SHA-256 of entries, by which a prepared dataset knows its own."""
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


class Record(NamedTuple):
    """An image a layout has found, not yet decoded.

    mask is None for a good image and for a defective one that nobody has outlined. split is "train", "test" or ""
    where the set prescribes none. draw, where given, returns (image uint8 [H, W, C], mask uint8 [H, W] or None) and
    replaces plainly reading the two files: for images that are generated (image and mask None), cut, or outlined by
    several files. more names files beside image and mask that the pixels depend on. A dataset is prepared anew when any
    of its files changes.
    """

    id: str
    image: Path | None
    mask: Path | None
    label: int
    kind: str
    surface: str
    split: str
    draw: Callable[[], tuple[np.ndarray, np.ndarray | None]] | None = None
    more: tuple[Path, ...] = ()

    @property
    def has_mask(self) -> bool:
        """Whether it is known which pixels are defective."""
        return not self.label or self.mask is not None or self.image is None


class Sample(NamedTuple):
    """A decoded image. mask is None only for a defective image that nobody has outlined."""

    image: np.ndarray
    mask: np.ndarray | None
    label: int
    kind: str
    surface: str
    id: str


def read(
    record: Record, *, channels: int | None = 1, scale: float = 1.0, size: tuple[int, int] | None = None
) -> Sample:
    """Decodes a record and brings it to the wanted channels and size (see `images`).

    Raises ValueError where mask and image differ in size, or where the mask of a good image marks a defect.
    """
    if record.draw is not None:
        image, mask = record.draw()
    else:
        image = images.read_image(record.image)
        mask = None if record.mask is None else images.read_mask(record.mask)
    if mask is None and not record.label:
        mask = np.zeros(image.shape[:2], np.uint8)
    if mask is not None and mask.shape != image.shape[:2]:
        raise ValueError(
            f"{record.mask or record.id}: the mask is {mask.shape[1]} x {mask.shape[0]} pixels (width x height), its "
            f"image {record.image or record.id} {image.shape[1]} x {image.shape[0]}; "
            "export the mask at the image's size"
        )
    if not record.label and mask.any():
        raise ValueError(
            f"{record.mask or record.id}: the mask marks {int(mask.sum())} defect pixels in an image filed as good "
            f"({record.image or record.id}); move the image to its kind of defect, or empty the mask"
        )
    height, width = images.target_size(*image.shape[:2], scale=scale, size=size)
    image = images.resize_image(images.to_channels(image, channels), height=height, width=width)
    mask = None if mask is None else images.resize_mask(mask, height=height, width=width)
    return Sample(image, mask, record.label, record.kind, record.surface, record.id)
