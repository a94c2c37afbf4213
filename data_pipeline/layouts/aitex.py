"""AITEX: seven woven fabrics, line-scan images of 4096 x 256 with a blank strip and the selvage at the left.

    Defect_images/NNNN_DDD_FF.png                  DDD is the kind of defect, FF the fabric
    Mask_images/NNNN_DDD_FF_mask.png               or ..._mask1.png, ..._mask2.png: their union is meant
    NoDefect_images/*/NNNN_000_FF.png              one folder per fabric

The set prescribes no split. Source: Silvestre-Blanes et al., A Public Fabric Database for Defect Detection, Autex 2019.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from data_pipeline.folders import images_in, subfolders, wrong
from data_pipeline.images import listed, read_image, read_mask
from data_pipeline.record import PART, Record, read

KINDS = {
    "002": "broken end", "006": "broken yarn", "010": "broken pick", "016": "weft curling", "019": "fuzzyball",
    "022": "cut selvage", "023": "crease", "025": "warp ball", "027": "knots", "029": "contamination", "030": "nep",
    "036": "weft crack",
}  # fmt: skip


def records(root: Path, *, fabric: str | None = None, trim_selvage: bool = True, tile: int = 0) -> Iterator[Record]:
    """The records of one fabric ("00" to "06") or of all; trim_selvage cuts off the blank strip at the left.

    tile: pixels of the length of a strip to cut a record from, 0 for the whole strip; of a defective strip only those
    that show the defect. Tiles of a strip are never parted between training and test.
    """
    masks: dict[str, list[Path]] = {}
    for mask in listed(root / "Mask_images"):
        masks.setdefault(mask.stem.rsplit("_mask", 1)[0], []).append(mask)
    good_folder = root / "NoDefect_images"
    good = [path for name in subfolders(good_folder) for path in listed(good_folder / name)] + listed(good_folder)
    bad = images_in(root / "Defect_images", "defective images NNNN_DDD_FF.png (number, kind, fabric)")
    if not good:
        wrong(good_folder, "normal images NNNN_000_FF.png, one folder per fabric")
    fabrics = sorted({_fields(path)[1] for path in good + bad})
    if fabric not in (None, *fabrics):
        raise ValueError(f"fabric={fabric!r} is not in {root}; its fabrics are {', '.join(fabrics)}")
    for path in good + bad:
        code, surface = _fields(path)
        if fabric in (None, surface):
            label = int(code != "000")
            masks_of_image = masks.get(path.stem, []) if label else []
            draw = (
                partial(_draw, path, masks_of_image, trim_selvage) if trim_selvage or len(masks_of_image) > 1 else None
            )
            kind = KINDS.get(code, code) if label else "good"
            whole = Record(
                path.stem,
                path,
                masks_of_image[0] if masks_of_image else None,
                label,
                kind,
                surface,
                "",
                draw,
                tuple(masks_of_image[1:]),
            )
            yield from _tiles(whole, tile) if tile else [whole]


def _tiles(record: Record, tile: int) -> Iterator[Record]:
    if tile < 16:
        raise ValueError(f"tile={tile} pixels; use 16 or more, such as 256, or 0 for whole strips")
    strip = read(record, channels=None)
    for left in range(0, strip.image.shape[1] - tile + 1, tile):
        if not record.label or strip.mask is None or strip.mask[:, left : left + tile].any():
            cut = partial(_cut, record, slice(left, left + tile))
            yield record._replace(id=f"{record.id}{PART}{left:04d}", draw=cut)


def _cut(record: Record, columns: slice) -> tuple[np.ndarray, np.ndarray | None]:
    strip = read(record, channels=None)
    return strip.image[:, columns], None if strip.mask is None else strip.mask[:, columns]


def blank_columns(image: np.ndarray) -> int:
    """How many columns at the left of image [H, W, C] are blank: those with over 5 % of pure white, up to the first
    without.

    The edge of the fabric slants, so that the strip is cut where the last of it ends. 0 where over half the image
    would go: that is no strip but a white fabric.
    """
    white = (image == 255).all(-1).mean(0) > 0.05
    blank = len(white) if white.all() else int(np.argmin(white))
    return blank if blank <= len(white) // 2 else 0


def _fields(path: Path) -> tuple[str, str]:
    parts = path.stem.split("_")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise ValueError(
            f"{path}: expected the name NNNN_DDD_FF (number, kind of defect, fabric); rename or remove the file"
        )
    return parts[1], parts[2]


def _draw(path: Path, masks: list[Path], trim: bool) -> tuple[np.ndarray, np.ndarray | None]:
    image = read_image(path)
    mask = np.zeros(image.shape[:2], np.uint8) if masks or path.stem.split("_")[1] == "000" else None
    for file in masks:
        part = read_mask(file)
        if part.shape != mask.shape:
            raise ValueError(
                f"{file}: {part.shape} pixels (H, W), its image {mask.shape}; export the mask at that size"
            )
        mask |= part
    left = blank_columns(image) if trim else 0
    return image[:, left:], None if mask is None else mask[:, left:]
