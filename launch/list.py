"""Lists what there is, a line for each: detectors, presets, datasets or sweeps.

python -m launch.list detectors
python -m launch.list presets
"""

import argparse
import sys

from launch.command import choices, start
from launch.command.console import console
from launch.command.parser import parser as parser_of


def main(argv: list[str] | None = None) -> None:
    """Prints the list."""
    rows = LISTS[parser().parse_args(argv).what]()
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        console.print(f"{name:{width}}  {text}".rstrip())


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = parser_of(__doc__)
    made.add_argument("what", choices=tuple(LISTS))
    return made


def detectors() -> list[tuple[str, str]]:
    """Each detector, and what it does."""
    return [(name, choices.config(name).__doc__.strip().partition("\n")[0]) for name in choices.detectors()]


def presets() -> list[tuple[str, str]]:
    """Each detector and its presets, the default one first."""
    return [(name, " ".join(choices.presets(name))) for name in choices.detectors()]


LISTS = {
    "detectors": detectors, "presets": presets, "datasets": choices.dataset_lines, "sweeps": choices.sweep_lines,
}  # fmt: skip

if __name__ == "__main__":
    start.run(main, sys.argv[1:])
