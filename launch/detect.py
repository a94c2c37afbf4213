"""Looks for defects in any folder of images with a trained run. No labels are needed.

    python -m launch.detect RUN FOLDER --out OUT
    python -m launch.detect RUN FOLDER --out OUT --pixel-size 0.05      # of millimetres, in which defects are told, too

OUT gets detections.csv (a row per image), detections.json (each defect with its box, area, centroid, extent and score),
masks/ (white on defects) and overlays/ (defects outlined). An image that cannot be read is reported in its row and the
others go on; the exit status is then 1. Cut off, the same command goes on with what is missing.
"""

import argparse
import sys
from pathlib import Path

from launch.command import start
from launch.command.console import console
from launch.run.detection import detect


def main(argv: list[str] | None = None) -> int:
    """Returns how many images could not be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("folder", type=Path, help="a folder of images; folders inside are searched too")
    parser.add_argument("--out", type=Path, required=True, help="the folder for all that is written")
    parser.add_argument("--image-threshold", type=float, help="of an image's score, instead of the fitted one")
    parser.add_argument("--pixel-threshold", type=float, help="of the map, instead of the fitted one")
    parser.add_argument("--min-area", type=int, help="smaller defects are dropped, pixels (default: the run's)")
    parser.add_argument("--pixel-size", type=float, metavar="MM", help="a pixel's side in millimetres")
    arguments = parser.parse_intermixed_args(argv)
    start.devices()
    rows = detect(
        arguments.run, arguments.folder, arguments.out, pixel_size=arguments.pixel_size,
        image_threshold=arguments.image_threshold, pixel_threshold=arguments.pixel_threshold,
        min_area=arguments.min_area,
    )  # fmt: skip
    unread = [row["error"] for row in rows if row.get("error")]
    flagged = sum(row.get("defective", 0) for row in rows)
    console.print(
        f"{flagged} of {len(rows) - len(unread)} images are defective. See {arguments.out / 'detections.csv'}"
    )
    for error in unread:
        console.print(f"not read: {error}", style="yellow", markup=False)
    return len(unread)


if __name__ == "__main__":
    start.run(lambda argv: sys.exit(1 if main(argv) else 0), sys.argv[1:])
