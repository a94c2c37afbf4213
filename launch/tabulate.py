"""The table of all detectors: what each does and needs, and what was measured of it, from the results of runs.

    python -m launch.tabulate sweeps/comparison-magnetic_tile sweeps/comparison-aitex --page docs/detectors.md

Words come from the detectors' own docstrings, figures from result.json: of single runs, or of all runs of a sweep. Runs
of the same detector on the same images that differ in their seeds are averaged.
"""

import argparse
import sys
from pathlib import Path

from launch.command import files, start
from launch.command.console import console
from launch.page.detector_table import found_in, written


def main(argv: list[str] | None = None) -> str:
    """Returns the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="folders of finished runs or sweeps")
    parser.add_argument("--note", default="", help="a sentence on how this was measured")
    parser.add_argument("--page", type=Path, help="the Markdown file to write (default: print it)")
    words = sys.argv[1:] if argv is None else argv
    arguments = parser.parse_args(words)
    page = written([run for folder in arguments.folders for run in found_in(folder)], note=arguments.note)
    if arguments.page:
        with files.replacing(arguments.page) as file:
            file.write(page)
        console.print(f"Written: {arguments.page}")
    else:
        console.print(page, markup=False, soft_wrap=True)
    return page


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
