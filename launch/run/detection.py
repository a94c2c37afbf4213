"""Defects in any folder of images, by a trained run: masks, overlays and, of each image, a row and its defects."""

import csv
import hashlib
import itertools
import json
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from PIL import Image as Picture

from data_pipeline import images
from data_pipeline.names import LONGEST, cells
from launch.command import files
from launch.command.console import progress_bar, warn
from launch.run.inference import Found, OpenRun, open_run
from launch.run.overlap import batches, in_threads, together_or_alone
from launch.run.prediction import Prediction
from launch.run.regions import Region

COLUMNS = (
    "image", "score", "image_threshold", "defective", "pixel_threshold", "defect_pixels", "defects", "error",
)  # fmt: skip
OUTLINE = (255, 64, 32)
MASKS, OVERLAYS = "masks", "overlays"
TABLE = "detections.csv"
JOURNAL = ".detections.jsonl"  # a line for each image that is done, until all are
LOG = "detections.jsonl"  # of a folder that is watched
LEFT = {TABLE, JOURNAL, LOG, "events.jsonl"}  # files by which a folder is known that this or the two stages wrote


class Image(NamedTuple):
    """An image of a folder: its path there, and its pixels uint8 [H, W, C] or why it cannot be looked at.

    coloured: whether it has colours that the run does not see, and nothing was said of it.
    """

    name: str
    pixels: np.ndarray | None = None
    error: str | None = None
    coloured: bool = False


def detect(
    run: Path, folder: Path, out: Path, *, pixel_size: float | None = None, **chosen: float | None
) -> list[dict[str, Any]]:
    """Writes detections.csv, detections.json, masks/ and overlays/ of a folder of images to `out`. Returns the rows.

    pixel_size: of a pixel's side, millimetres, in which defects are then told as well. chosen: as of `open_run`. An
    image that cannot be read has its error in its row, and the others go on. Cut off, the same call goes on with what
    is missing. Raises FileNotFoundError for a folder without images, ValueError for a pixel size that is none, InUse
    where another process writes to `out`.
    """
    check_pixel_size(pixel_size)
    opened = open_run(run, **chosen)
    paths = find_images(folder, out)
    with files.locked(out), progress_bar() as bar:
        rows, journal = resume(out / JOURNAL, stamp(run, folder, opened, pixel_size))
        missing = [path for path in paths if str(path.relative_to(folder)) not in rows]
        task = bar.add_task("detecting", total=len(paths), completed=len(paths) - len(missing), note="")
        with journal:
            for name, row in detections(opened, folder, missing, out, pixel_size, set()):
                append_line(journal, {"image": name, "file": mark(folder / name), "row": row})
                rows[name] = row
                bar.advance(task)
        ordered = [{"image": name} | rows[name] for name in sorted(str(path.relative_to(folder)) for path in paths)]
        with files.replacing(out / TABLE) as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
            writer.writeheader()
            counts = ({"defects": None if row.get("regions") is None else len(row["regions"])} for row in ordered)
            writer.writerows(cells(row) | count for row, count in zip(ordered, counts, strict=True))
        files.write_json(out / "detections.json", {"run": str(run), "pixel_size_mm": pixel_size, "images": ordered})
        (out / JOURNAL).unlink(missing_ok=True)
    return ordered


def check_pixel_size(millimetres: float | None) -> None:
    """Raises ValueError for a pixel size that is none."""
    if millimetres is not None and not 0 < millimetres < np.inf:
        raise ValueError(f"--pixel-size {millimetres:g}; give the side of a pixel in millimetres, such as 0.05")


def detections(
    opened: OpenRun, folder: Path, paths: Iterable[Path], out: Path, pixel_size: float | None, told: set[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, row) of each image, in order; masks and overlays are written. Decoding, the device and writing overlap.

    An image that cannot be looked at has its error in its row. told: gets the first image whose colours the run does
    not see, of which alone is warned.
    """
    grey = opened.predictor.run.config.data.channels == 1

    def read(path: Path) -> Image:
        name = str(path.relative_to(folder))
        if path.is_dir():
            return Image(name, error=f"{name}: this user may not read the folder; change its permissions")
        if len(os.fsencode(path.name)) > LONGEST:
            return Image(name, error=f"{name}: a name of more than {LONGEST} bytes; rename the file")
        try:
            pixels = images.read_image(path)
        except (ValueError, OSError) as error:
            return Image(name, error=str(error))
        return Image(name, pixels, coloured=grey and not told and images.is_coloured(pixels))

    def warned(image: Image) -> Image:
        if image.coloured and not told:  # Asked again here, in one thread: several read.
            told.add(image.name)
            warn(f"{image.name} is in colour, and the run looks at its grey (data.channels=1), as it was trained; "
                 "train one with data.channels=3 to use colours")  # fmt: skip
        return image

    def predict(alike: list[Image]) -> list[tuple[Image, Prediction | Exception | None]]:
        if alike[0].error:
            return [(alike[0], None)]
        predictions = together_or_alone(opened.predict_together, [image.pixels for image in alike])
        return list(zip(alike, predictions, strict=True))

    def write(looked_at: tuple[Image, Prediction | Exception | None]) -> tuple[str, dict[str, Any]]:
        image, prediction = looked_at
        if image.error:
            return image.name, {"error": image.error}
        if isinstance(prediction, Exception):
            return image.name, {"error": f"{image.name}: {prediction}"}
        if np.isnan(prediction.score):
            error = f"{image.name}: its score is no number; train the run again with a lower learning rate"
            return image.name, {"error": error}
        found = opened.judge(prediction)
        write_pictures(out, image, found)
        return image.name, row_of(found, pixel_size)

    together = batches(map(warned, in_threads(read, paths)), lambda image: None if image.error else image.pixels.shape)
    yield from in_threads(write, itertools.chain.from_iterable(map(predict, together)))


def find_images(folder: Path, out: Path) -> list[Path]:
    """The images of a folder, sorted, without what a call writes there. Raises FileNotFoundError for none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; give the folder that holds the images")
    there = lambda path: path.is_file() or path.is_dir() or path.is_symlink()  # a link to nothing, too
    paths = sorted(filter(there, map(folder.joinpath, listed(folder, out))))
    if not paths:
        suffixes = ", ".join(sorted(images.SUFFIXES))
        raise FileNotFoundError(f"{folder} holds no images; it should hold files that end in {suffixes}")
    return paths


def listed(folder: Path, out: Path, known: Collection[str] = ()) -> Iterator[str]:
    """The paths in a folder, and in those inside, of what is named like an image and not known.

    Without masks/ and overlays/ that are `out`'s or lie beside what an earlier call left. A folder inside that this
    user may not read is a path, too. 5 us a known name.
    """
    shut: list[str] = []
    for place, folders, names in os.walk(folder, onerror=lambda error: shut.append(str(error.filename))):
        if Path(place).resolve() == out.resolve() or LEFT.intersection(names):
            folders[:] = [name for name in folders if name not in (MASKS, OVERLAYS)]
        inside = "" if place == str(folder) else f"{Path(place).relative_to(folder)}{os.sep}"
        yield from (inside + name for name in names if inside + name not in known and images.is_image(Path(name)))
    yield from {os.path.relpath(place, folder) for place in shut}.difference(known)


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


def append_line(file: TextIO, value: dict[str, Any]) -> str:
    """Adds a line of JSON to an open file, and returns it. Raises OSError, naming the file and the remedy."""
    line = json.dumps(files.as_json(value), allow_nan=False)
    try:
        file.write(line + "\n")
        file.flush()
    except OSError as error:
        raise OSError(f"could not write {file.name} ({error.strerror or error}); free space, then run the same command "
                      "again: it goes on with what is missing") from error  # fmt: skip
    return line


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
    files.write_bytes(out / OVERLAYS / target, overlay(image.pixels, found.mask))


def overlay(image: np.ndarray, mask: np.ndarray) -> bytes:
    """A PNG of the image uint8 [H, W, C] with a line two pixels wide around what the mask bool [H, W] marks.

    A grey image stays one of a byte a pixel, where a level that it does not use can be the line's colour: it takes a
    third of the time and of the space.
    """
    if not mask.any():
        return images.png(image)
    used = Picture.fromarray(image[..., 0]).histogram() if image.shape[-1] == 1 else []
    if 0 not in used:
        return images.png(with_outline(images.to_channels(image, 3), mask))
    palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
    level = used.index(0)
    palette[level] = OUTLINE
    return images.png(np.where(outline(mask)[..., None], np.uint8(level), image), palette=palette)


def with_outline(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image uint8 [H, W, 3] with that line."""
    return np.where(outline(mask)[..., None], np.uint8(OUTLINE), image)


def outline(mask: np.ndarray) -> np.ndarray:
    """bool [H, W]: the two pixels around what a mask marks."""
    framed = np.pad(mask, 2)  # A tenth of what SciPy's maximum takes.
    wide = np.logical_or.reduce([framed[:, shift : framed.shape[1] - 4 + shift] for shift in range(5)])
    return np.logical_or.reduce([wide[shift : len(wide) - 4 + shift] for shift in range(5)]) & ~mask
