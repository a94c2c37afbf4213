"""Looks for defects in any folder of images with a trained run. No labels are needed.

    python -m launch.detect RUN FOLDER --out OUT
    python -m launch.detect RUN FOLDER --out OUT --pixel-size 0.05      # of millimetres, in which defects are told, too

An image is defective if its score is above the image threshold; only then are its pixels above the pixel threshold
called defects, and outlined. Both are the run's, fitted on normal images, unless they are given.

OUT gets detections.csv (a row per image), detections.json (each defect with its box, area, centroid, extent and score),
masks/ (white on defects) and overlays/ (defects outlined). An image that cannot be read is reported in its row and the
others go on; the exit status is then 1. Cut off, the same command goes on with what is missing.

    python -m launch.detect RUN FOLDER --out OUT --watch

looks at images as they arrive in FOLDER, once each file is whole, and writes a line of JSON for each to stdout and to
OUT/detections.jsonl: what detections.json tells of an image, and the time. It goes on until it is told to stop (Ctrl+C
or SIGTERM), finishes what it has in hand and ends with status 0; started again, it goes on with what is missing.
"""

import argparse
import contextlib
import sys
from pathlib import Path

from launch.command import start, stopping
from launch.command.console import console, messages, warn
from launch.command.parser import count, finite
from launch.command.parser import parser as parser_of


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = parser_of(__doc__)
    made.add_argument("run", type=Path, help="the folder of a run")
    made.add_argument("folder", type=Path, help="a folder of images; folders inside are searched too")
    made.add_argument("--out", type=Path, required=True, help="the folder for all that is written")
    made.add_argument("--image-threshold", type=finite, help="of an image's score: above it, it is defective")
    made.add_argument("--pixel-threshold", type=finite, help="of the map of a defective image")
    made.add_argument("--min-area", type=count, help="smaller defects are dropped, pixels (default: the run's)")
    made.add_argument("--pixel-size", type=float, metavar="MM", help="a pixel's side in millimetres")
    made.add_argument("--watch", action="store_true", help="take images as they arrive, until it is told to stop")
    return made


def main(argv: list[str] | None = None) -> int:
    """Returns how many images could not be read; 0 of a folder that is watched."""
    arguments = parser().parse_intermixed_args(argv)
    from launch.run.detection import detect
    from launch.run.watching import watch

    start.devices()
    where = arguments.run, arguments.folder, arguments.out
    chosen = {
        "pixel_size": arguments.pixel_size, "image_threshold": arguments.image_threshold,
        "pixel_threshold": arguments.pixel_threshold, "min_area": arguments.min_area,
    }  # fmt: skip
    if arguments.watch:
        messages.print(f"watching {arguments.folder}; stop it with Ctrl+C")
        # A signal is how it ends, and no failure.
        with contextlib.suppress(KeyboardInterrupt), stopping.deferred() as asked:
            told = watch(*where, emit=lambda line: print(line, flush=True), stopped=asked, **chosen)
        messages.print(f"{told['defective']} of {told['images'] - told['errors']} images were defective, "
                       f"{told['errors']} could not be read")  # fmt: skip
        return 0
    rows = detect(*where, **chosen)
    unread = [row["error"] for row in rows if row.get("error")]
    flagged = sum(row.get("defective", 0) for row in rows)
    console.print(
        f"{flagged} of {len(rows) - len(unread)} images are defective. See {arguments.out / 'detections.csv'}"
    )
    for error in unread:
        warn(f"not read: {error}")
    return len(unread)


if __name__ == "__main__":
    start.run(lambda argv: sys.exit(1 if main(argv) else 0), sys.argv[1:])
