"""Looks for defects in any folder of pictures with a trained run. No labels are needed.

    python -m launch.detect RUN FOLDER --out OUT

OUT gets detections.csv (a row per picture), masks/ (white on defects) and overlays/ (defects outlined). A picture that
cannot be read is reported in its row and the others go on; the exit status is then 1.
"""

import argparse
import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import scipy.ndimage
from ml_collections import ConfigDict
from PIL import Image

from data_pipeline import pictures
from launch import experiment, files, logs, start
from launch.detection import detect_picture
from launch.logs import console

COLUMNS = ("picture", "score", "threshold", "defective", "defect_pixels", "defects", "error")
OUTLINE = (255, 64, 32)


def main(argv: list[str] | None = None) -> int:
    """Returns how many pictures could not be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("folder", type=Path, help="a folder of pictures; folders inside are searched too")
    parser.add_argument("--out", type=Path, required=True, help="the folder for masks, overlays and detections.csv")
    parser.add_argument("--threshold", type=float, help="of the pixel map, instead of the calibrated one")
    arguments = parser.parse_intermixed_args(argv)
    found = find_pictures(arguments.folder)
    start.devices()
    run = experiment.load_run(arguments.run)
    pixel, image = thresholds_of(arguments.run)
    pixel = pixel if arguments.threshold is None else arguments.threshold
    sizes = [size for size in (size_of(path, run.config) for path in found) if size]
    tiles = experiment.tiles_of(run.config, sizes)
    rows = []
    with logs.progress_bar() as bar:
        task = bar.add_task("detecting", total=len(found), note="")
        for path in found:
            name = path.relative_to(arguments.folder)
            try:
                row = detect_one(run, path, arguments.out, name, pixel=pixel, image=image, tiles=tiles)
            except ValueError as error:
                row = {"error": str(error)}
            rows.append({"picture": str(name), **row})
            bar.advance(task)
    with files.replacing(arguments.out / "detections.csv") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    broken = [row for row in rows if row.get("error")]
    flagged = sum(row.get("defective", 0) for row in rows)
    console.print(
        f"{flagged} of {len(rows) - len(broken)} pictures are defective. See {arguments.out / 'detections.csv'}"
    )
    for row in broken:
        console.print(f"not read: {row['error']}", style="yellow", markup=False)
    return len(broken)


def find_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, sorted. Raises FileNotFoundError where there are none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; give the folder that holds the pictures")
    found = sorted(path for path in folder.rglob("*") if pictures.is_picture(path) and path.is_file())
    if not found:
        known = ", ".join(sorted(pictures.SUFFIXES))
        raise FileNotFoundError(f"{folder} holds no pictures; it should hold files that end in {known}")
    return found


def thresholds_of(folder: Path) -> tuple[float | None, float]:
    """(pixel, image) as fitted on the run's calibration pictures."""
    path = folder / "result.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; run launch.evaluate {folder} to fit the thresholds")
    fitted = json.loads(path.read_text())["thresholds"]
    return fitted["pixel"]["value"], fitted["image"]["value"]


def size_of(path: Path, config: ConfigDict) -> tuple[int, int] | None:
    """(height, width) as the detector sees it, from the header alone; None for what is no picture."""
    try:
        return pictures.target_size(*pictures.header(path)[:2], **experiment.conversion(config))
    except ValueError:
        return None  # Reported when it is read.


def detect_one(run, path: Path, out: Path, name: Path, *, pixel: float | None, image: float, tiles) -> dict:
    """Detects in one picture, writes its mask and overlay, returns its row. Raises ValueError for a bad picture."""
    original = pictures.read_image(path)
    area = run.config.threshold.min_area
    found = detect_picture(
        run, experiment.as_seen(run.config, original), original.shape[:2], tiles=tiles, level=pixel, min_area=area
    )
    row = {"score": found.score, "threshold": image, "defective": int(found.score > image)}
    if found.mask is None:
        return row
    target = name.with_name(name.name + ".png")  # a.jpg and a.png must not meet.
    write_png(out / "masks" / target, found.mask.astype(np.uint8) * 255)
    write_png(out / "overlays" / target, outlined(pictures.to_channels(original, 3), found.mask))
    defects = int(scipy.ndimage.label(found.mask, np.ones((3, 3)))[1])
    return row | {"defect_pixels": int(found.mask.sum()), "defects": defects}


def outlined(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture uint8 [H, W, 3] with a line two pixels wide around what the mask marks."""
    edge = scipy.ndimage.binary_dilation(mask, np.ones((3, 3)), iterations=2) & ~mask
    return np.where(edge[..., None], np.uint8(OUTLINE), image)


def write_png(path: Path, array: np.ndarray) -> None:
    """Writes uint8 [H, W] or [H, W, 3] atomically."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    with files.replacing(path, "wb") as file:
        file.write(buffer.getvalue())


if __name__ == "__main__":
    start.run(lambda argv: sys.exit(1 if main(argv) else 0), sys.argv[1:])
