"""Writes the tables of docs/detectors.md: what was measured of all detectors, and what each does.

    python -m launch.tabulate                                    # the words again, once a detector was changed
    python -m launch.tabulate sweeps/comparison-magnetic_tile sweeps/comparison-aitex     # and what was measured anew
    python -m launch.tabulate --add runs/nsa-small-magnetic_tile-0      # of one detector; the others stay as they are

Words come from the detectors' own docstrings and configs, figures from result.json: of single runs, or of all runs of
a sweep. Runs of the same detector on the same images that differ in their seeds are averaged.
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
    made.add_argument("folders", nargs="*", type=Path, help="folders of finished runs or sweeps")
    made.add_argument("--note", default="", help="a sentence on how this was measured")
    made.add_argument("--page", type=Path, default=Path("docs/detectors.md"), help="(default: %(default)s)")
    made.add_argument("--add", action="store_true", help="keep what the page says of other detectors and images")
    return made


def main(argv: list[str] | None = None) -> None:
    """Rewrites what stands between the marks of the page."""
    arguments = parser().parse_args(argv)
    from launch.command import files
    from launch.page.detector_table import parted, runs_in, with_words, written

    runs = [run for folder in arguments.folders for run in runs_in(folder)]
    before, tables, after = parted(arguments.page.read_text(encoding="utf-8"))
    anew = runs and not arguments.add
    tables = written(runs, note=arguments.note) if anew else with_words(tables, runs)
    with files.replacing(arguments.page) as file:
        file.write(before + tables + after)
    console.print(f"Written: {arguments.page}")


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
