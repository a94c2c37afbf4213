"""Looks for defects in any folder of images with a trained run. No labels are needed.

    python -m launch.detect RUN FOLDER --out OUT

OUT gets detections.csv (a row per image), masks/ (white on defects) and overlays/ (defects outlined). An image that
cannot be read is reported in its row and the others go on; the exit status is then 1.
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
    parser.add_argument("--out", type=Path, required=True, help="the folder for masks, overlays and detections.csv")
    parser.add_argument("--threshold", type=float, help="of the pixel map, instead of the calibrated one")
    arguments = parser.parse_intermixed_args(argv)
    start.devices()
    rows = detect(arguments.run, arguments.folder, arguments.out, pixel_threshold=arguments.threshold)
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
