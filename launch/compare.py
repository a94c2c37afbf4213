"""Sets finished runs side by side on one page: a table of all figures, charts, the same images under each.

    python -m launch.compare RUN RUN ... --out page.html

Runs of any detectors and settings, also those of sweeps. Runs that were tested on other images than most are marked.
"""

import argparse
import shlex
import sys
from pathlib import Path

from launch.command import start
from launch.command.console import console
from launch.command.parser import parser as parser_of
from launch.command.parser import spoken


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = parser_of(__doc__)
    made.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="the folder of a finished run")
    made.add_argument("--out", type=Path, default=Path("comparison.html"), help="the page (default: %(default)s)")
    return made


def main(argv: list[str] | None = None) -> Path:
    """Returns the page."""
    arguments = parser().parse_args(argv)
    from launch.page.sweep_page import write_sweep_page
    from launch.sweeping.compared import collect

    results = collect(arguments.runs)
    words = spoken(shlex.join(["python", "-m", "launch.compare", *(sys.argv[1:] if argv is None else argv)]))
    page = write_sweep_page(results | {"command": words}, arguments.out.parent, out=arguments.out)
    console.print(f"Report: {page}")
    return page


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
