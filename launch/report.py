"""Writes the page of a run: figures, scores under a movable threshold, images worst first, curves, settings.

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
from launch.page.run_page import write_report


def main(argv: list[str] | None = None) -> Path:
    """Returns the report page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("--out", type=Path, help="the page to write (default: RUN/report.html)")
    arguments = parser.parse_args(argv)
    written = write_report(arguments.run, out=arguments.out)
    console.print(f"Report: {written}", soft_wrap=True)
    return written


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
