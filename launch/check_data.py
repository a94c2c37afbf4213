"""Looks a folder of images over before anything is trained on it: what is in it, and what is wrong with it.

    python -m launch.check_data FOLDER [--layout NAME] [--option KEY=VALUE ...]

Every image and mask is decoded. Without --layout each layout is tried, and one that fits is taken; where none fits,
all images below the folder are checked by themselves. Ends with status 0 if nothing is wrong: launch.detect takes the
folder then, and launch.train where a layout fits. Ends with 1 if something is: a line for each problem, with file, rule
and remedy.
"""

import argparse
import ast
import functools
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from data_pipeline import colours
from data_pipeline.checking import Look, choose, inspect, notes_on, of_sets, unused
from data_pipeline.record import Record
from launch.command import choices, start
from launch.command.console import Plain, console
from launch.command.parser import parser as parser_of

SHOWN = 50  # Problems listed one by one; the rest is only counted.
WIDE = 1000  # columns that are no limit

MODES = {
    "L": "8-bit grey", "RGB": "8-bit colour", "1": "1-bit", "P": "palette, read as colour",
    "I;16": "16-bit grey, divided by 257", "I": "16-bit grey, divided by 257", "CMYK": "print colours, read as RGB",
    "RGBA": "transparent, laid on black", "LA": "transparent, laid on black",
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns whether something is wrong."""
    options = parser().parse_args(arguments)
    folder = Path(options.folder).expanduser()
    of_layout = dict(options.option)
    allow_unmasked = bool(of_layout.pop("allow_unmasked", False))
    name, records, problems, notes = choose(folder, options.layout, of_layout)
    console.print(f"{folder}: {name or 'no known layout'}, {len(records)} images")
    bar = Console(stderr=True)
    counted = functools.partial(track, description="reading", console=bar, transient=True, disable=not bar.is_terminal)
    looks, wrong = inspect(records, counted=counted)
    strays, stray_notes = unused(folder, records)
    problems += wrong + strays + of_sets(records, supervised=name is not None, allow_unmasked=allow_unmasked)
    # Where nobody watches, a name stays on its line.
    screen = Plain(highlight=False, width=None if console.is_terminal else WIDE)
    for table in tables(looks):
        screen.print(table)
    short = lambda text: text.replace(f"{folder}/", "")
    if looks:
        console.print(channels(records))
    for note in [*notes, *notes_on(looks), *stray_notes]:
        console.print(f"note: {short(note)}")
    if not problems:
        console.print("nothing is wrong", style="green")
        return 0
    console.print(f"problems: {len(problems)}", style="red")
    for problem in problems[:SHOWN]:
        console.print(short(str(problem)))
    if len(problems) > SHOWN:
        console.print(f"... and {len(problems) - SHOWN} more")
    return 1


def channels(records: Sequence[Record]) -> str:
    """What training makes of the colours of the images."""
    try:
        found = colours.of(records)
    except (OSError, ValueError):  # It is among the problems.
        return "whether to train in colour cannot be told before the problems are gone"
    seen = "colour" if found.channels == 3 else "grey"
    return f"data.channels=auto trains in {seen}, data.channels={found.channels} ({found.told})"


def tables(looks: Sequence[Look]) -> Iterator[Table]:
    """Counts by split, kind and surface with sizes and defect areas; then the modes of the files."""
    table = Table("split", title="images; defect pixels: median (range)", title_justify="left")
    for title in ("kind", "surface"):
        table.add_column(title, overflow="fold")
    for title in ("images", "masks", "height x width", "defect pixels"):
        table.add_column(title, justify="right")
    groups: dict[tuple[str, str, str], list[Look]] = {}
    for look in looks:
        key = (look.record.split or "-", look.record.kind or "-", look.record.surface or "-")
        groups.setdefault(key, []).append(look)
    for key, members in sorted(groups.items()):
        size = f"{_range([look.height for look in members])} x {_range([look.width for look in members])}"
        areas = [look.area for look in members if look.area is not None]
        shown = f"{np.median(areas):.0f} ({_range(areas)})" if areas else "-"
        masks = sum(look.record.mask is not None for look in members)
        table.add_row(*key, str(len(members)), str(masks), size, shown)
    if looks:
        yield table
    modes = Table("mode", "meaning", title="files", title_justify="left")
    modes.add_column("images", justify="right")
    for mode, count in Counter(look.mode for look in looks).most_common():
        modes.add_row(mode, MODES.get(mode, "converted"), str(count))
    if looks:
        yield modes


def _range(values: Sequence[int]) -> str:
    return str(min(values)) if min(values) == max(values) else f"{min(values)}-{max(values)}"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = parser_of(__doc__)
    made.add_argument("folder", help="the folder of a dataset, or of images")
    made.add_argument("--layout", help=f"one of {', '.join(choices.datasets())} (default: what fits)")
    made.add_argument(
        "--option", type=_key_value, action="append", default=[], metavar="KEY=VALUE", help="an option of the layout"
    )
    return made


def _key_value(text: str) -> tuple[str, object]:
    key, equals, value = text.removeprefix("data.options.").partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r}; write KEY=VALUE, for example category=hazelnut")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value  # A plain word is a string.


if __name__ == "__main__":
    start.run(lambda argv: sys.exit(main(argv)), sys.argv[1:])
