"""RSDDs: rail surfaces seen from above; every image has a defect somewhere, so that normal images are cut from
them.

    Type-I RSDDs dataset/Rail surface images/*.jpg + GroundTruth/*.jpg      express rails, 67 of 160 x 1000
    Type-II RSDDs dataset/Rail surface images/*.jpg + GroundTruth/*.jpg     heavy-haul rails, 128 of 55 x 1250

Listing the set reads all masks. The set prescribes no split. Source: Gan et al., A Hierarchical Extractor-Based Visual
Rail Surface Inspection System, IEEE Sensors Journal, 2017.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from data_pipeline.folders import images_in, subfolders
from data_pipeline.images import listed, read_image, read_mask
from data_pipeline.record import Record

ROMAN = {1: "I", 2: "II"}


def records(root: Path, *, type: int = 2, squares: bool = True) -> Iterator[Record]:
    """The records of type 1 or 2.

    squares=True cuts each image along the rail into squares as wide as the image, without overlap and without the
    rest at the end; a square is defective where its part of the mask marks anything. squares=False gives whole
    images.
    """
    if type not in ROMAN:
        raise ValueError(f"type={type!r}; RSDDs has the types 1 (express rails) and 2 (heavy-haul rails)")
    prefix = f"Type-{ROMAN[type]} "
    folder = root / next((name for name in subfolders(root) if name.startswith(prefix)), f"{prefix}RSDDs dataset")
    surface = f"rail type {type}"
    masks = {path.stem: path for path in listed(folder / "GroundTruth")}
    for path in images_in(folder / "Rail surface images", "images of rails, and their masks in GroundTruth"):
        mask = masks.get(path.stem)
        if not squares or mask is None:
            yield Record(path.stem, path, mask, 1, "defect", surface, "")
            continue
        marked = read_mask(mask)
        edge = min(marked.shape)
        for number in range(max(marked.shape) // edge):
            window = _window(marked, number, edge)
            label = int(marked[window].any())
            draw = partial(_draw, path, mask, number)
            yield Record(
                f"{path.stem}/{number:02d}", path, mask, label, "defect" if label else "good", surface, "", draw
            )


def _window(array: np.ndarray, number: int, edge: int) -> tuple[slice, slice]:
    along, across = slice(number * edge, (number + 1) * edge), slice(0, edge)
    return (along, across) if array.shape[0] >= array.shape[1] else (across, along)


def _draw(path: Path, mask: Path, number: int) -> tuple[np.ndarray, np.ndarray]:
    image, marked = read_image(path), read_mask(mask)
    if image.shape[:2] != marked.shape:
        raise ValueError(
            f"{mask}: {marked.shape} pixels (H, W), its image {image.shape[:2]}; export the mask at that size"
        )
    window = _window(marked, number, min(marked.shape))
    return image[window], marked[window]
