"""Severstal steel: 12568 training images of steel sheets, 1600 x 256, with four classes of defects.

    train_images/*.jpg
    train.csv             ImageId,ClassId,EncodedPixels or ImageId_ClassId,EncodedPixels: a row per image and class

EncodedPixels are pairs "start length", counted from 1 down the columns. The images of the competition's test part
have no labels and are not read. The set prescribes no split. Source: Severstal: Steel Defect Detection, Kaggle 2019.
"""

import csv
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from data_pipeline.folders import images_in, wrong
from data_pipeline.images import read_image
from data_pipeline.record import Record


def records(root: Path, *, classes: Sequence[int] = (3,)) -> Iterator[Record]:
    """The images without defects, and those whose defects are all of the given classes (1 to 4).

    The default, class 3 alone, is the usual choice (Bozic et al. 2021).
    """
    if not classes or not set(classes) <= {1, 2, 3, 4}:
        raise ValueError(f"classes={classes!r}; some of the classes 1, 2, 3 and 4")
    table = root / "train.csv"
    if not table.is_file():
        wrong(root, "train.csv and the folder train_images")
    runs = _runs(table)
    for path in images_in(root / "train_images", "the images that train.csv names"):
        runs_of_image = runs.get(path.name, {})
        if set(runs_of_image) <= set(classes):
            label = int(bool(runs_of_image))
            kind = "class " + "+".join(map(str, sorted(runs_of_image))) if label else "good"
            draw = partial(_draw, path, table, tuple(runs_of_image.values())) if label else None
            yield Record(path.stem, path, table if label else None, label, kind, "steel", "", draw)


def decode_runs(runs: str, height: int, width: int) -> np.ndarray:
    """Mask uint8 [height, width] of runs "start length start length ...", counted from 1 down the columns.

    Raises ValueError where the runs are not pairs of numbers or leave the image.
    """
    fields = runs.split()
    if len(fields) % 2 or not all(field.isdigit() for field in fields):
        raise ValueError(f"the runs {runs[:40]!r} are not pairs of a start and a length")
    pairs = np.array(fields, np.int64).reshape(-1, 2)
    starts, stops = pairs[:, 0] - 1, pairs[:, 0] - 1 + pairs[:, 1]
    if len(pairs) and (starts.min() < 0 or stops.max() > height * width):
        raise ValueError(f"the runs reach pixel {stops.max()} of an image of {height} x {width} = {height * width}")
    column_wise = np.zeros(height * width, np.uint8)
    for start, stop in zip(starts, stops, strict=True):
        column_wise[start:stop] = 1
    return column_wise.reshape(width, height).T


def _runs(table: Path) -> dict[str, dict[int, str]]:
    """Runs by image and class."""
    runs: dict[str, dict[int, str]] = {}
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        columns = set(rows.fieldnames or ())
        if "EncodedPixels" not in columns or not columns & {"ImageId", "ImageId_ClassId"}:
            raise ValueError(
                f"{table}: expected the columns ImageId, ClassId, EncodedPixels; found {', '.join(columns)}"
            )
        for number, row in enumerate(rows, start=2):
            name, kind = row.get("ImageId"), row.get("ClassId")
            if name is None:
                name, _, kind = row["ImageId_ClassId"].rpartition("_")
            if kind not in ("1", "2", "3", "4"):
                raise ValueError(f"{table}, line {number}: class {kind!r}; expected 1, 2, 3 or 4")
            if row["EncodedPixels"]:
                runs.setdefault(name, {})[int(kind)] = row["EncodedPixels"]
    return runs


def _draw(path: Path, table: Path, runs: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    image = read_image(path)
    mask = np.zeros(image.shape[:2], np.uint8)
    for run in runs:
        try:
            mask |= decode_runs(run, *image.shape[:2])
        except ValueError as error:
            raise ValueError(f"{table}, image {path.name}: {error}; download train.csv again") from error
    return image, mask
