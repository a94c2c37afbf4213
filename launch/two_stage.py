"""The two-stage system: which surface does an image show, or is it one never seen; and has that surface a defect?

    python -m launch.two_stage SYSTEM --weights squeezenet.h5            # trains it on synthetic surfaces, judges it
    python -m launch.two_stage SYSTEM --dataset dagm2007 --data FOLDER --unseen Class8,Class10 --weights resnet101.pth
    python -m launch.two_stage SYSTEM --inspect FOLDER --out OUT         # any folder of images, no labels needed

SYSTEM gets a run that tells surfaces apart (surfaces/), a run of a defect detector for each seen surface (defects/),
and result.json, events.jsonl, masks/ and report.html of the set's test images. Finished runs are kept, so that the
same command goes on where it was stopped. Fields of the configs: surfaces.field=value and defects.field=value.

Source: Cheng and Yeh, Two-Stage Metal Surface Defect Detection and Classification System Based on VAEGAN and
Class-Embedding, 2023, Section 3.1.1.
"""

import argparse
import sys
from pathlib import Path

from launch.command import arguments as command_line
from launch.command import files, start
from launch.command.console import console
from launch.page.system_page import write_page
from launch.run.detection import find_images
from launch.system import figures, inspection
from launch.system.training import read, test_images, train_all


def main(argv: list[str] | None = None) -> Path:
    """Returns the report page."""
    arguments = parse(argv)
    start.devices()
    folder = arguments.folder
    with files.locked(folder):
        if arguments.inspect:
            out = arguments.out or folder / "inspected"
            paths = find_images(arguments.inspect, out)
            trained = inspection.load(folder)
            inspections = inspection.inspect_images(trained, read(paths, arguments.inspect), len(paths), out)
            result = figures.of_any_images(trained, inspections, out)
        else:
            out = folder
            train_all(arguments)
            trained = inspection.load(folder)
            test = test_images(trained.surfaces.config)
            inspections = inspection.inspect_images(trained, ((sample.id, sample) for sample in test), len(test), out)
            result = figures.of_test_images(trained, inspections, out)
        files.write_json(out / "result.json", result)
        page = write_page(out)
    console.print(f"Report: {page}")
    return page


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line: that of launch.train for the first stage, and what the second adds."""
    parser = command_line.parser(
        __doc__, folder="the folder of the system", detector="sbad", overrides="surfaces.field=value"
    )
    parser.add_argument("--defect-preset", default="small", help="of configs/segdec.py (default: small)")
    parser.add_argument("--unseen", help="surfaces kept from training, e.g. Class8,Class10 (default: the config's)")
    parser.add_argument("--inspect", type=Path, help="a folder of images to judge with a trained system")
    parser.add_argument("--out", type=Path, help="where to put what was found there (default: SYSTEM/inspected)")
    return parser.parse_intermixed_args(argv)


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
