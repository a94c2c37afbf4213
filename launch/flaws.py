"""Draws a contact sheet of the flaws that detectors learn from (train.corrupt), on your own images.

    python -m launch.flaws --out SHEET.png                                             # on synthetic textures
    python -m launch.flaws --dataset mvtec --data FOLDER --out SHEET.png
    python -m launch.flaws --dataset mvtec --data FOLDER --kinds stain,line --patch 128 --out SHEET.png data.channels=3

Each kind has two rows: flawed patches of good images, and how severe the change of each pixel is, the mask outlined.
"""

import argparse
import sys
from pathlib import Path

from launch.command import start
from launch.command.console import console
from launch.command.parser import config_parser


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = config_parser(__doc__, detector="nsa")
    made.add_argument("--kinds", default="", help="of jaxdefect/flaws/kinds.py, with commas (default: all)")
    made.add_argument("--patch", type=int, default=96, help="pixels a side (default: %(default)s)")
    made.add_argument("--out", type=Path, required=True, help="the sheet to write, a PNG")
    return made


def main(argv: list[str] | None = None) -> Path:
    """Returns the sheet."""
    arguments = parser().parse_intermixed_args(argv)
    from launch.command import arguments as command_line
    from launch.command.configuration import set_field
    from launch.page.flaw_sheet import write_sheet

    config = command_line.from_arguments(arguments)
    set_field(config, "train.patch", arguments.patch)
    start.devices()
    write_sheet(config, arguments.out, kinds=tuple(filter(None, arguments.kinds.split(","))))
    console.print(f"Sheet: {arguments.out}")
    return arguments.out


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
