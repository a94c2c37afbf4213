"""Defects in any folder of images, by a trained run: rows of detections.csv, masks and overlays."""

from pathlib import Path

import numpy as np
import scipy.ndimage
from ml_collections import ConfigDict

from data_pipeline import images
from launch.command.files import write_png
from launch.run.data import as_seen, conversion
from launch.run.prediction import detect_image

COLUMNS = ("image", "score", "threshold", "defective", "defect_pixels", "defects", "error")
OUTLINE = (255, 64, 32)


def find_images(folder: Path) -> list[Path]:
    """The images of a folder, sorted. Raises FileNotFoundError where there are none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; give the folder that holds the images")
    found = sorted(path for path in folder.rglob("*") if images.is_image(path) and path.is_file())
    if not found:
        known = ", ".join(sorted(images.SUFFIXES))
        raise FileNotFoundError(f"{folder} holds no images; it should hold files that end in {known}")
    return found


def size_of(path: Path, config: ConfigDict) -> tuple[int, int] | None:
    """(height, width) as the detector sees it, from the header alone; None for what is no image."""
    try:
        return images.target_size(*images.header(path)[:2], **conversion(config))
    except ValueError:
        return None  # Reported when it is read.


def detect_one(run, path: Path, out: Path, name: Path, *, pixel: float | None, image: float, tiles) -> dict:
    """Detects in one image, writes its mask and overlay, returns its row. Raises ValueError for a bad image."""
    original = images.read_image(path)
    area = run.config.threshold.min_area
    found = detect_image(
        run, as_seen(run.config, original), original.shape[:2], tiles=tiles, level=pixel, min_area=area
    )
    row = {"score": found.score, "threshold": image, "defective": int(found.score > image)}
    if found.mask is None:
        return row
    target = name.with_name(name.name + ".png")  # a.jpg and a.png must not meet.
    write_png(out / "masks" / target, found.mask.astype(np.uint8) * 255)
    write_png(out / "overlays" / target, outlined(images.to_channels(original, 3), found.mask))
    defects = int(scipy.ndimage.label(found.mask, np.ones((3, 3)))[1])
    return row | {"defect_pixels": int(found.mask.sum()), "defects": defects}


def outlined(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image uint8 [H, W, 3] with a line two pixels wide around what the mask marks."""
    edge = scipy.ndimage.binary_dilation(mask, np.ones((3, 3)), iterations=2) & ~mask
    return np.where(edge[..., None], np.uint8(OUTLINE), image)
