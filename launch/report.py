"""Writes the page of a run: its test in one sentence, figures, scores under a movable threshold, images worst first.

    python -m launch.report RUN [--out FILE]

The page is one file, RUN/report.html, without a request to anywhere: styles, scripts and images are inside, and its
content security policy forbids the rest. Of the run only result.json must be there; whatever else is missing is left
out of the page and said on it.
"""

import argparse
import sys
from pathlib import Path

from launch.command import start
from launch.command.console import console
from launch.command.parser import parser as parser_of


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = parser_of(__doc__)
    made.add_argument("run", type=Path, help="the folder of a run")
    made.add_argument("--out", type=Path, help="the page to write (default: RUN/report.html)")
    return made


def main(argv: list[str] | None = None) -> Path:
    """Returns the report page."""
    arguments = parser().parse_args(argv)
    from launch.page.run_page import write_report

    written = write_report(arguments.run, out=arguments.out)
    console.print(f"Report: {written}")
    return written


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
