"""Defects in any folder of images, by a trained run: masks, overlays and, of each image, a row and its defects."""

import csv
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.ndimage

from data_pipeline import images
from launch.command import files
from launch.command.console import progress_bar
from launch.run.inference import Found, OpenRun, in_threads, open_run
from launch.run.regions import Region

COLUMNS = (
    "image", "score", "image_threshold", "defective", "pixel_threshold", "defect_pixels", "defects", "error",
)  # fmt: skip
OUTLINE = (255, 64, 32)
MASKS, OVERLAYS = "masks", "overlays"
JOURNAL = ".detections.jsonl"  # a line for each image that is done, until all are
LONGEST = 240  # bytes of a file's name, which masks and temporary files add to


class Image(NamedTuple):
    """An image of a folder: where it is, its name there, and its pixels or why it cannot be looked at."""

    path: Path
    name: str
    pixels: np.ndarray | None = None
    error: str | None = None


def detect(
    run: Path, folder: Path, out: Path, *, pixel_size: float | None = None, **chosen: float | None
) -> list[dict[str, Any]]:
    """Writes detections.csv, detections.json, masks/ and overlays/ of a folder of images to `out`. Returns the rows.

    pixel_size: of a pixel's side, millimetres, in which defects are then told as well. chosen: as of `open_run`. An
    image that cannot be read has its error in its row, and the others go on. Cut off, the same call goes on with what
    is missing. Raises FileNotFoundError for a folder without images, ValueError for a pixel size that is none.
    """
    if pixel_size is not None and not 0 < pixel_size < np.inf:
        raise ValueError(f"--pixel-size {pixel_size:g}; give the side of a pixel in millimetres, such as 0.05")
    opened = open_run(run, **chosen)
    paths = find_images(folder, out)
    done, journal = resume(out / JOURNAL, stamp(run, folder, opened, pixel_size))
    with progress_bar() as bar, journal:
        task = bar.add_task("detecting", total=len(paths), note="")
        rows = {}
        for name, row in detections(opened, folder, paths, out, done, pixel_size):
            if name not in done:
                journal.write(json.dumps({"image": name, "file": mark(folder / name), "row": row}) + "\n")
                journal.flush()
            rows[name] = row
            bar.advance(task)
    ordered = [{"image": name} | rows[name] for name in sorted(rows)]
    with files.replacing(out / "detections.csv") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row | {"defects": len(row["regions"]) if row.get("regions") is not None else None}
                         for row in ordered)  # fmt: skip
    files.write_json(out / "detections.json", {"run": str(run), "pixel_size_mm": pixel_size, "images": ordered})
    (out / JOURNAL).unlink(missing_ok=True)
    return ordered


def detections(
    opened: OpenRun, folder: Path, paths: list[Path], out: Path, done: dict[str, dict], pixel_size: float | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, row) of each image; masks and overlays are written. Decoding, the device and writing overlap."""
    names = {path: str(path.relative_to(folder)) for path in paths}
    yield from ((names[path], done[names[path]]) for path in paths if names[path] in done)

    def read(path: Path) -> Image:
        if len(os.fsencode(path.name)) > LONGEST:
            return Image(
                path, names[path], error=f"{names[path]}: a name of more than {LONGEST} bytes; rename the file"
            )
        try:
            return Image(path, names[path], images.read_image(path))
        except (ValueError, OSError) as error:
            return Image(path, names[path], error=str(error))

    def write(looked_at: tuple) -> tuple[str, dict[str, Any]]:
        image, prediction = looked_at
        if image.error:
            return image.name, {"error": image.error}
        found = opened.judge(prediction)
        write_pictures(out, image, found)
        return image.name, row_of(found, pixel_size)

    missing = (path for path in paths if names[path] not in done)
    predicted = ((image, None if image.error else opened.predict(image.pixels)) for image in in_threads(read, missing))
    yield from in_threads(write, predicted)


def find_images(folder: Path, out: Path) -> list[Path]:
    """The images of a folder, sorted, without what an earlier call wrote. Raises FileNotFoundError for none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; give the folder that holds the images")
    own = [(out / part).resolve() for part in (MASKS, OVERLAYS)]
    paths = [path for path in folder.rglob("*") if images.is_image(path) and path.is_file()]
    paths = sorted(path for path in paths if not any(path.resolve().is_relative_to(place) for place in own))
    if not paths:
        suffixes = ", ".join(sorted(images.SUFFIXES))
        raise FileNotFoundError(f"{folder} holds no images; it should hold files that end in {suffixes}")
    return paths


def stamp(run: Path, folder: Path, opened: OpenRun, pixel_size: float | None) -> dict[str, Any]:
    """What rows depend on beside their image: those of another stamp are not gone on with."""
    evaluated = hashlib.sha256((run / "result.json").read_bytes()).hexdigest()
    chosen = [opened.pixel_threshold, opened.image_threshold, opened.min_area, pixel_size]
    return {"folder": str(folder.resolve()), "evaluated": evaluated, "chosen": chosen}


def mark(path: Path) -> list[int]:
    """Size and time of a file: another image of the same name is looked at again."""
    try:
        return [path.stat().st_size, path.stat().st_mtime_ns]
    except OSError:
        return []


def resume(journal: Path, stamp: dict[str, Any]) -> tuple[dict[str, dict], Any]:
    """The rows that a call of this stamp has left, and the journal, open for more. Errors are tried again."""
    done = {}
    try:
        first, *lines = journal.read_text().splitlines()
        for line in lines if json.loads(first) == stamp else []:
            entry = json.loads(line)
            if "error" not in entry["row"] and entry["file"] == mark(Path(stamp["folder"]) / entry["image"]):
                done[entry["image"]] = entry["row"]
    except (OSError, ValueError):
        pass  # There is none, or its last line was cut off.
    kept = [{"image": name, "file": mark(Path(stamp["folder"]) / name), "row": row} for name, row in done.items()]
    with files.replacing(journal) as file:
        file.writelines(json.dumps(line) + "\n" for line in (stamp, *kept))
    return done, journal.open("a")


def row_of(found: Found, pixel_size: float | None) -> dict[str, Any]:
    """What is told of an image that was looked at."""
    row = {
        "score": found.score, "image_threshold": found.image_threshold, "defective": int(found.defective),
        "pixel_threshold": found.pixel_threshold,
    }  # fmt: skip
    if found.mask is None:
        return row
    told = [region_of(region, pixel_size) for region in found.regions]
    return row | {"defect_pixels": int(found.mask.sum()), "regions": told}


def region_of(region: Region, pixel_size: float | None) -> dict[str, Any]:
    """A defect in pixels and, of pixels of known size, in millimetres: box is top, left, bottom, right."""
    told = {
        "box": [region.top, region.left, region.bottom, region.right], "area": region.area,
        "centroid": [region.row, region.column], "extent": region.extent, "peak": region.peak, "mean": region.mean,
    }  # fmt: skip
    if pixel_size is None:
        return told
    scaled = lambda values: [value * pixel_size for value in values]
    return told | {
        "box_mm": scaled(told["box"]), "area_mm2": region.area * pixel_size**2,
        "centroid_mm": scaled(told["centroid"]), "extent_mm": region.extent * pixel_size,
    }  # fmt: skip


def write_pictures(out: Path, image: Image, found: Found) -> None:
    """The mask and the overlay of an image, where the detector gives a map."""
    if found.mask is None:
        return
    target = Path(image.name + ".png")  # a.jpg and a.png must not meet.
    files.write_png(out / MASKS / target, found.mask.astype(np.uint8) * 255)
    files.write_png(out / OVERLAYS / target, with_outline(images.to_channels(image.pixels, 3), found.mask))


def with_outline(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image uint8 [H, W, 3] with a line two pixels wide around what the mask marks."""
    edge = scipy.ndimage.binary_dilation(mask, np.ones((3, 3)), iterations=2) & ~mask
    return np.where(edge[..., None], np.uint8(OUTLINE), image)
