"""Defects in any folder of images, by a trained run: rows of detections.csv, masks and overlays."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage
from ml_collections import ConfigDict

from data_pipeline import images
from launch.command import files
from launch.command.console import progress_bar
from launch.run.data import conversion
from launch.run.prediction import Predictor, defect_mask, predictor
from launch.run.thresholds import read_thresholds
from launch.run.trained import load_run

COLUMNS = ("image", "score", "threshold", "defective", "defect_pixels", "defects", "error")
OUTLINE = (255, 64, 32)


def detect(run_folder: Path, folder: Path, out: Path, *, pixel_threshold: float | None = None) -> list[dict[str, Any]]:
    """Writes detections.csv, masks/ and overlays/ of a folder of images to `out`. Returns the rows.

    pixel_threshold: of the map, instead of the fitted one. An image that cannot be read has its error in its row.
    """
    paths = find_images(folder)
    run = load_run(run_folder)
    pixel, image = read_thresholds(run_folder)
    pixel = pixel if pixel_threshold is None else pixel_threshold
    shown = predictor(run, [size for size in (size_of(path, run.config) for path in paths) if size])
    rows = []
    with progress_bar() as bar:
        task = bar.add_task("detecting", total=len(paths), note="")
        for path in paths:
            name = path.relative_to(folder)
            try:
                row = detect_image(shown, images.read_image(path), out, name, pixel=pixel, image=image)
            except ValueError as error:
                row = {"error": str(error)}
            rows.append({"image": str(name), **row})
            bar.advance(task)
    with files.replacing(out / "detections.csv") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return rows


def find_images(folder: Path) -> list[Path]:
    """The images of a folder, sorted. Raises FileNotFoundError where there are none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; give the folder that holds the images")
    paths = sorted(path for path in folder.rglob("*") if images.is_image(path) and path.is_file())
    if not paths:
        suffixes = ", ".join(sorted(images.SUFFIXES))
        raise FileNotFoundError(f"{folder} holds no images; it should hold files that end in {suffixes}")
    return paths


def size_of(path: Path, config: ConfigDict) -> tuple[int, int] | None:
    """(height, width) as the detector sees it, from the header alone; None for what is no image."""
    try:
        return images.target_size(*images.header(path)[:2], **conversion(config))
    except ValueError:
        return None  # Reported when it is read.


def detect_image(
    predictor: Predictor, original: np.ndarray, out: Path, name: Path, *, pixel: float | None, image: float
) -> dict[str, Any]:
    """Detects in one image uint8 [H, W, C], writes its mask and overlay, returns its row."""
    prediction = predictor.original(original)
    row = {"score": prediction.score, "threshold": image, "defective": int(prediction.score > image)}
    mask = defect_mask(prediction, pixel, predictor.run.config.threshold.min_area)
    if mask is None:
        return row
    target = name.with_name(name.name + ".png")  # a.jpg and a.png must not meet.
    files.write_png(out / "masks" / target, mask.astype(np.uint8) * 255)
    files.write_png(out / "overlays" / target, with_outline(images.to_channels(original, 3), mask))
    defects = int(scipy.ndimage.label(mask, np.ones((3, 3)))[1])
    return row | {"defect_pixels": int(mask.sum()), "defects": defects}


def with_outline(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image uint8 [H, W, 3] with a line two pixels wide around what the mask marks."""
    edge = scipy.ndimage.binary_dilation(mask, np.ones((3, 3)), iterations=2) & ~mask
    return np.where(edge[..., None], np.uint8(OUTLINE), image)
