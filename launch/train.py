"""Trains a detector, evaluates it and writes its report page.

    python -m launch.train                                          # NSA on synthetic textures
    python -m launch.train --dataset mvtec --data FOLDER            # a folder in MVTec layout
    python -m launch.train --detector renet_d --dataset nanotwice --data FOLDER train.steps=600 settings.alpha=1.0

Started again with the same --workdir, it goes on where it was stopped.
"""

import sys
import time
from pathlib import Path

from launch.command import arguments as command_line
from launch.command import start
from launch.command.console import console
from launch.page.flaw_sheet import write_sheet
from launch.page.run_page import write_report
from launch.run.feeds import flaws_of
from launch.run.folder import default_workdir
from launch.run.pipeline import print_summary, train


def main(argv: list[str] | None = None) -> Path:
    """Returns the report page; in processes that write no files, the folder of the run."""
    parser = command_line.parser(__doc__, detector="nsa")
    parser.add_argument("--workdir", help="the folder of the run (default: runs/<detector>-<preset>-<dataset>-<seed>)")
    arguments = parser.parse_intermixed_args(argv)
    config = command_line.from_arguments(arguments)
    workdir = Path(arguments.workdir) if arguments.workdir else default_workdir(config)
    begun = time.monotonic()
    start.devices()
    result = train(config, workdir)
    if result is None:
        return workdir
    if flaws_of(config) and not (workdir / "flaws.png").exists():
        write_sheet(config, workdir / "flaws.png", kinds=tuple(dict.fromkeys(flaws_of(config))))
    page = write_report(workdir)
    print_summary(result)
    console.print(f"{time.monotonic() - begun:.0f} s in all. Report: {page}")
    return page


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
