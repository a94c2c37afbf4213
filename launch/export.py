"""Exports a trained run, or a system of two stages, as one ONNX file that decides as it does, without JAX.

    python -m launch.export RUN OUT
    python -m launch.export SYSTEM OUT                      # of launch.two_stage, with all of its stages inside
    python -m launch.export RUN OUT --size 512x1250     # where the detector sees each image in its own size
    python OUT/detect.py IMAGES --out MASKS             # needs onnxruntime, numpy and Pillow alone

OUT gets model.onnx (uint8 image in; score, and map where there is one, out), model.json (thresholds and where they come
from, versions, and how near it came to the run on held-out and test images) and detect.py. Where it does not come near
enough, or decides a single image otherwise, nothing is written. Made with JAXDEFECT_EXTRAS=dev,export ./in_venv.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from launch.command import start
from launch.command.console import console
from launch.command.parser import parser as parser_of


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = parser_of(__doc__)
    made.add_argument("run", type=Path, help="the folder of a trained run, or of a two-stage system")
    made.add_argument("out", type=Path, help="a new folder for all that is written")
    made.add_argument("--size", help="HEIGHTxWIDTH of the images it is to take, or of the largest (default: any, or "
                      "as the run's)")  # fmt: skip
    made.add_argument("--images", type=Path, help="a folder of images to compare on, instead of the run's dataset")
    made.add_argument("--count", type=int, default=100, help="images compared of each part at most (default: 100)")
    made.add_argument("--tolerance", type=float, default=1e-3, help="share of the range of scores and maps, and of "
                      "the pixels, by which the model may differ (default: 0.001)")  # fmt: skip
    return made


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Returns what model.json says."""
    arguments = parser().parse_args(argv)
    from launch.exporting.export import export
    from launch.exporting.system import export_system
    from launch.system.inspection import SURFACES

    if arguments.count < 1:
        raise ValueError(f"--count {arguments.count}: give how many images to compare on, 1 or more")
    if not 0 < arguments.tolerance < 1:
        raise ValueError(f"--tolerance {arguments.tolerance:g}: give a share between 0 and 1, such as 0.001")
    size = as_size(arguments.size)
    start.devices()
    exporting = export_system if (arguments.run / SURFACES).is_dir() else export
    told = exporting(
        arguments.run, arguments.out, size=size, folder=arguments.images, count=arguments.count,
        tolerance=arguments.tolerance,
    )  # fmt: skip
    for part, row in told["parity"].items():
        if part != "tolerance":
            console.print(
                f"{part}: {row['images']} images, scores differ by at most {row['score']['greatest']:.2g} in a range "
                f"of {row['score']['range']:.2g}, {row['flipped_decisions']} decisions flipped"
            )
    console.print(f"See {arguments.out / 'model.json'}; try python {arguments.out / 'detect.py'} IMAGES --out MASKS")
    return told


def as_size(text: str | None) -> tuple[int, int] | None:
    """(height, width) of HEIGHTxWIDTH. Raises ValueError for anything else."""
    if text is None:
        return None
    if not re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", text):
        raise ValueError(f"--size {text}: give height and width in pixels, such as 512x1250")
    height, width = text.split("x")
    return int(height), int(width)


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
