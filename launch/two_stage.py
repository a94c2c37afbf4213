"""The two-stage system: which surface does an image show, or is it one never seen; and has that surface a defect?

    python -m launch.two_stage SYSTEM --weights squeezenet.h5            # trains it on synthetic surfaces, judges it
    python -m launch.two_stage SYSTEM --dataset dagm2007 --data FOLDER --unseen Class8,Class10 --weights NET.safetensors
    python -m launch.two_stage SYSTEM --inspect FOLDER --out OUT         # any folder of images, no labels needed

SYSTEM gets a run that tells surfaces apart (surfaces/), a run of a defect detector for each seen surface (defects/),
and result.json, events.jsonl, masks/ and report.html of the set's test images. Finished runs are kept, so that the
same command goes on where it was stopped. Images that cannot be read are told; the exit status is then 1. Fields of the
configs: surfaces.field=value and defects.field=value.

Source: Cheng and Yeh, Two-Stage Metal Surface Defect Detection and Classification System Based on VAEGAN and
Class-Embedding, 2023, Section 3.1.1.
"""

import argparse
import shlex
import sys
from functools import partial
from pathlib import Path

from launch.command import start
from launch.command.console import console, warn
from launch.command.parser import config_parser, spoken


def main(argv: list[str] | None = None) -> int:
    """Returns how many images could not be read."""
    arguments = parser().parse_intermixed_args(argv)
    from data_pipeline import images
    from launch.command import files
    from launch.page.system_page import event, sentence, write_page
    from launch.run.detection import find_images
    from launch.system import figures, inspection
    from launch.system.training import test_images, train_all

    start.devices()
    folder = arguments.folder
    with files.locked(folder):
        if arguments.inspect:
            out = arguments.out or folder / "inspected"
            paths = find_images(arguments.inspect, out)
            trained = inspection.load(folder)
            items = [(str(path.relative_to(arguments.inspect)), partial(images.read_image, path)) for path in paths]
            inspections = inspection.inspect_images(trained, items, out)
            result = figures.of_any_images(trained, inspections, out)
        else:
            out = folder
            train_all(arguments)
            trained = inspection.load(folder)
            test = test_images(trained.surfaces.config)
            items = [(record.id, partial(test.__getitem__, place)) for place, record in enumerate(test.records)]
            inspections = inspection.inspect_images(trained, items, out)
            result = figures.of_test_images(trained, inspections, out)
        words = spoken(shlex.join(["python", "-m", "launch.two_stage", *(sys.argv[1:] if argv is None else argv)]))
        warnings = [*result["warnings"], *figures.warnings_of_stages(folder)]
        result |= {"command": words, "system": str(folder.resolve()), "warnings": warnings}
        files.write_json(out / "result.json", result)
        page = write_page(out)
    for warning in warnings:
        warn(warning)
    broken = [inspection.event for inspection in inspections if inspection.event["event"] == "error"]
    for unread in broken:
        warn(f"not read: {unread['error']}")
    told = sentence([event(inspection.event) for inspection in inspections], result["unseen"])
    console.print(f"{told} Report: {page}")
    return len(broken)


def parser() -> argparse.ArgumentParser:
    """The command line: that of launch.train for the first stage, and what the second adds."""
    made = config_parser(__doc__, folder="the folder of the system", detector="sbad", overrides="surfaces.field=value")
    made.add_argument("--defect-preset", default="small", help="of configs/segdec.py (default: small)")
    made.add_argument("--unseen", help="surfaces kept from training, e.g. Class8,Class10 (default: the config's)")
    made.add_argument("--inspect", type=Path, help="a folder of images to judge with a trained system")
    made.add_argument("--out", type=Path, help="where to put what was found there (default: SYSTEM/inspected)")
    return made


if __name__ == "__main__":
    start.run(lambda argv: sys.exit(1 if main(argv) else 0), sys.argv[1:])
