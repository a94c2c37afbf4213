"""Makes a smaller detector of a trained run: fewer channels, trained on, beside the run it came from.

    python -m launch.prune RUN                                     # half the channels, RUN-pruned-50
    python -m launch.prune RUN --keep 0.25 --steps 500 --rank bn_scale --workdir NEW

The new folder is a run as any other. Its pruned.json tells weights, operations, milliseconds and figures before, after
pruning, and after training on. Started again with the same words, it goes on where it was stopped.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from launch.command import start
from launch.command.console import console
from launch.command.parser import parser as parser_of


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = parser_of(__doc__)
    made.add_argument("run", type=Path, help="the folder of a trained run; it stays as it is")
    made.add_argument("--keep", type=float, default=0.5, help="the share of every width that stays (default: 0.5)")
    made.add_argument("--steps", type=int, default=200, help="the smaller detector is trained on (default: 200)")
    made.add_argument(
        "--rank", choices=("magnitude", "bn_scale"), default="magnitude", help="which channels matter most"
    )
    made.add_argument("--workdir", type=Path, help="the folder of the new run (default: RUN-pruned-<percent>)")
    return made


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Returns what pruned.json holds."""
    arguments = parser().parse_args(argv)
    if not 0 < arguments.keep < 1:
        raise ValueError(f"--keep {arguments.keep:g}: give the share of the channels that stay, such as 0.5")
    if arguments.steps < 0:
        raise ValueError(f"--steps {arguments.steps}: give a number of training steps, or 0 for none")
    from launch.page.run_page import write_report
    from launch.run.pruning import prune_run
    from launch.run.trained import load_run

    start.devices()
    run = load_run(arguments.run)
    folder = arguments.run.absolute()
    workdir = arguments.workdir or folder.with_name(f"{folder.name}-pruned-{100 * arguments.keep:g}")
    if workdir.absolute() == folder:
        raise ValueError(f"--workdir {workdir} is the run itself; give another folder")
    words = {"keep": arguments.keep, "rank": arguments.rank, "steps": arguments.steps}
    result = prune_run(run, folder, workdir, **words)
    console.print(*as_text(result).splitlines(), f"Report: {write_report(workdir)}", sep="\n")
    return result


def as_text(result: dict[str, Any]) -> str:
    """The result as lines of a table."""
    number = lambda value: "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
    widths = [f"settings.{name} {old} -> {new}" for name, (old, new) in result["widths"].items()]
    alone = [f"settings.{name} is skipped: {why}" for name, why in result["skipped"].items()]
    lines = [f"{'':14}{'before':>12}{'pruned':>12}{'trained on':>12}"]
    for name in result["figures"]["before"]:
        cells = [number(result["figures"][stage][name]) for stage in ("before", "pruned", "tuned")]
        lines.append(f"{name:14}" + "".join(f"{cell:>12}" for cell in cells))
    for name in result["costs"]["before"]:
        before, after = (number(result["costs"][stage][name]) for stage in ("before", "tuned"))
        lines.append(f"{name:14}{before:>12}{'':12}{after:>12}")
    return "\n".join([*widths, *alone, *lines])


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
