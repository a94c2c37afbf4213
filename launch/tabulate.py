"""Writes the tables of all detectors: that of the README, and the one of what was measured of them.

    python -m launch.tabulate                                    # the words again, once a detector was changed
    python -m launch.tabulate sweeps/comparison-magnetic_tile sweeps/comparison-aitex     # and what was measured anew
    python -m launch.tabulate --add runs/nsa-small-magnetic_tile-0      # of one detector; the others stay as they are

Words come from the detectors' own docstrings and configs, figures from result.json: of single runs, or of all runs of
a sweep. Runs of the same detector on the same images that differ in their seeds are averaged.
"""

import argparse
import sys
from pathlib import Path

from launch.command import files, start
from launch.command.console import console
from launch.page.detector_table import runs_in, with_summary, with_words, written


def main(argv: list[str] | None = None) -> None:
    """Rewrites both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of finished runs or sweeps")
    parser.add_argument("--note", default="", help="a sentence on how this was measured")
    parser.add_argument("--page", type=Path, default=Path("docs/detectors.md"), help="(default: %(default)s)")
    parser.add_argument("--readme", type=Path, default=Path("README.md"), help="(default: %(default)s)")
    parser.add_argument("--add", action="store_true", help="keep what the page says of other detectors and images")
    arguments = parser.parse_args(argv)
    runs = [run for folder in arguments.folders for run in runs_in(folder)]
    if runs and not arguments.add:
        page = written(runs, note=arguments.note)
    else:
        page = with_words(arguments.page.read_text(encoding="utf-8"), runs)
    texts = {arguments.page: page, arguments.readme: with_summary(arguments.readme.read_text(encoding="utf-8"))}
    for path, text in texts.items():
        with files.replacing(path) as file:
            file.write(text)
        console.print(f"Written: {path}")


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
