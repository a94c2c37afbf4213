"""Trains a detector, evaluates it and writes its report page.

    python -m launch.train                                          # NSA on synthetic textures
    python -m launch.train --dataset mvtec --data FOLDER            # a folder in MVTec layout
    python -m launch.train --detector renet_d --dataset nanotwice --data FOLDER train.steps=600 settings.alpha=1.0

Started again with the same --workdir, it goes on where it was stopped. With --memory or --profile nothing is trained:
it is said what a run would take of the device's memory, or a trace of some steps is written.
"""

import argparse
import sys
import time
from pathlib import Path

from launch.command import start
from launch.command.console import console, duration, phase, say
from launch.command.parser import config_parser


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = config_parser(__doc__, detector="nsa")
    made.add_argument("--workdir", help="the folder of the run (default: runs/<detector>-<preset>-<dataset>-<seed>)")
    made.add_argument(
        "--memory", action="store_true", help="say what a run takes of the device's memory; train nothing"
    )
    made.add_argument("--profile", type=Path, metavar="DIR", help="write a trace of some steps there; train nothing")
    return made


def main(argv: list[str] | None = None) -> Path:
    """Returns the report page; in processes that write no files, the folder of the run."""
    arguments = parser().parse_intermixed_args(argv)
    from launch.command import arguments as command_line
    from launch.page.flaw_sheet import write_sheet
    from launch.page.run_page import write_report
    from launch.page.verdict import verdict_of
    from launch.run import resources
    from launch.run.feeds import flaws_of
    from launch.run.folder import default_workdir
    from launch.run.pipeline import print_summary, train

    config = command_line.from_arguments(arguments)
    workdir = Path(arguments.workdir) if arguments.workdir else default_workdir(config)
    begun = time.monotonic()
    start.devices()
    if arguments.memory:
        plan = resources.plan_memory(config)
        console.print("MB of a device: " + ", ".join(f"{name} {value:.0f}" for name, value in plan.items()))
    if arguments.profile:
        resources.trace(config, arguments.profile)

        console.print(
            f"traced: open {arguments.profile} with TensorBoard, or its perfetto_trace.json.gz at ui.perfetto.dev"
        )
    if arguments.memory or arguments.profile:
        return workdir
    result = train(config, workdir)
    if result is None:
        return workdir
    if flaws_of(config) and not (workdir / "flaws.png").exists():
        phase("drawing the flaws it was taught", said=False)
        write_sheet(config, workdir / "flaws.png", kinds=tuple(dict.fromkeys(flaws_of(config))))
    phase("writing the page", said=False)
    page = write_report(workdir)
    print_summary(result)
    say(f"{duration(time.monotonic() - begun)} in all")
    console.print(f"{verdict_of(workdir, result)} Report: {page}")
    return page


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
