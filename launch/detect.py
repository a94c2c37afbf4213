"""Looks for defects in any folder of images with a trained run. No labels are needed.

    python -m launch.detect RUN FOLDER --out OUT

OUT gets detections.csv (a row per image), masks/ (white on defects) and overlays/ (defects outlined). An image that
cannot be read is reported in its row and the others go on; the exit status is then 1.
"""

import argparse
import csv
import sys
from pathlib import Path

from launch.command import files, start
from launch.command.console import console, progress_bar
from launch.run.detection import COLUMNS, detect_one, find_images, size_of
from launch.run.prediction import tiles_of
from launch.run.thresholds import read_thresholds
from launch.run.trained import load_run


def main(argv: list[str] | None = None) -> int:
    """Returns how many images could not be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("folder", type=Path, help="a folder of images; folders inside are searched too")
    parser.add_argument("--out", type=Path, required=True, help="the folder for masks, overlays and detections.csv")
    parser.add_argument("--threshold", type=float, help="of the pixel map, instead of the calibrated one")
    arguments = parser.parse_intermixed_args(argv)
    found = find_images(arguments.folder)
    start.devices()
    run = load_run(arguments.run)
    pixel, image = read_thresholds(arguments.run)
    pixel = pixel if arguments.threshold is None else arguments.threshold
    sizes = [size for size in (size_of(path, run.config) for path in found) if size]
    tiles = tiles_of(run.config, sizes)
    rows = []
    with progress_bar() as bar:
        task = bar.add_task("detecting", total=len(found), note="")
        for path in found:
            name = path.relative_to(arguments.folder)
            try:
                row = detect_one(run, path, arguments.out, name, pixel=pixel, image=image, tiles=tiles)
            except ValueError as error:
                row = {"error": str(error)}
            rows.append({"image": str(name), **row})
            bar.advance(task)
    with files.replacing(arguments.out / "detections.csv") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    broken = [row for row in rows if row.get("error")]
    flagged = sum(row.get("defective", 0) for row in rows)
    console.print(
        f"{flagged} of {len(rows) - len(broken)} images are defective. See {arguments.out / 'detections.csv'}"
    )
    for row in broken:
        console.print(f"not read: {row['error']}", style="yellow", markup=False)
    return len(broken)


if __name__ == "__main__":
    start.run(lambda argv: sys.exit(1 if main(argv) else 0), sys.argv[1:])
