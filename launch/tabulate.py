"""Writes the tables of docs/detectors.md: what was measured of all detectors, and what each does. And those of
docs/reproduction.md.

    python -m launch.tabulate                                    # the words again, once a detector was changed
    python -m launch.tabulate sweeps/comparison-magnetic_tile sweeps/comparison-aitex     # and what was measured anew
    python -m launch.tabulate --add runs/nsa-small-magnetic_tile-0      # of one detector; the others stay as they are
    python -m launch.tabulate --papers                           # docs/reproduction.md from docs/results/*.csv
    python -m launch.tabulate --papers sweeps/table4-nanotwice   # and what this sweep found, in a CSV of its name

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
    made.add_argument("--page", type=Path, help="(default: docs/detectors.md, docs/reproduction.md with --papers)")
    made.add_argument("--add", action="store_true", help="keep what the page says of other detectors and images")
    made.add_argument("--papers", action="store_true", help="the papers' tables, from sweeps of them")
    return made


def main(argv: list[str] | None = None) -> None:
    """Rewrites what stands between the marks of the page."""
    arguments = parser().parse_args(argv)
    if arguments.papers:
        return papers(arguments.folders, arguments.page or Path("docs/reproduction.md"))
    page = arguments.page or Path("docs/detectors.md")
    from launch.command import files
    from launch.page.detector_table import parted, runs_in, with_words, written

    runs = [run for folder in arguments.folders for run in runs_in(folder)]
    before, tables, after = parted(page.read_text(encoding="utf-8"))
    anew = runs and not arguments.add
    tables = written(runs, note=arguments.note) if anew else with_words(tables, runs)
    with files.replacing(page) as file:
        file.write(before + tables + after)
    console.print(f"Written: {page}")


def papers(folders: list[Path], page: Path) -> None:
    """Keeps the figures of these sweeps in results/NAME.csv beside the page, NAME that of their folder, and rewrites
    the tables and pictures of the page from all that are kept.
    """
    from launch.command import files
    from launch.page import paper_tables
    from launch.sweeping.results import collect

    kept = page.with_name("results")
    for folder in folders:
        with files.replacing(kept / f"{folder.resolve().name}.csv") as file:
            file.write(paper_tables.as_csv(paper_tables.of_sweep(collect(folder))))
    text, pictures = paper_tables.rewritten(page.read_text(encoding="utf-8"), kept)
    for name, picture in pictures.items():
        with files.replacing(kept / f"{name}.svg") as file:
            file.write(picture)
    with files.replacing(page) as file:
        file.write(text)
    console.print(f"Written: {page}, and {len(pictures)} pictures")


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
