"""Looks a folder of images over before anything is trained on it: what is in it, and what is wrong with it.

    python -m launch.check_data FOLDER [--layout NAME] [--option KEY=VALUE ...]

Every image and mask is decoded. Without --layout each layout is tried, and one that fits is taken; where none fits,
all images below the folder are checked by themselves. Ends with status 0 if nothing is wrong and 1 if something is.
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
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from data_pipeline import layouts
from data_pipeline.checking import Look, Problem, choose, inspect, rules_of_sets, unused

SHOWN = 50  # Problems listed one by one; the rest is only counted.


MODES = {
    "L": "8-bit grey", "RGB": "8-bit colour", "1": "1-bit", "P": "palette, read as colour",
    "I;16": "16-bit grey, divided by 257", "I": "16-bit grey, divided by 257", "CMYK": "print colours, read as RGB",
    "RGBA": "transparent, laid on black", "LA": "transparent, laid on black",
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    console = Console()
    folder = Path(options.folder).expanduser()
    try:
        name, records, notes = choose(folder, options.layout, dict(options.option))
    except (OSError, ValueError) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 1
    summary = f"[bold]{name or 'no known layout'}[/], {len(records)} images"
    console.print(f"{escape(str(folder))}: {summary}", highlight=False)
    counted = functools.partial(track, description="reading", console=Console(stderr=True), transient=True)
    looks, problems = inspect(records, counted=counted)
    strays, stray_notes = unused(folder, records)
    problems += strays + rules_of_sets(records, supervised=name is not None)
    for table in tables(looks):
        console.print(table)
    for note in notes + stray_notes:
        console.print(f"note: {note}", markup=False, highlight=False)
    if not problems:
        console.print("[green]nothing is wrong[/]")
        return 0
    console.print(_problem_table(problems, folder))
    return 1


def tables(looks: Sequence[Look]) -> Iterator[Table]:
    """Counts by split, kind and surface with sizes and defect areas; then the modes of the files."""
    table = Table("split", "kind", "surface", title="images; defect pixels: median (range)", title_justify="left")
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
        table.add_row(*map(escape, key), str(len(members)), str(masks), size, shown)
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


def _problem_table(problems: Sequence[Problem], folder: Path) -> Table:
    table = Table("file", "what is wrong", "what to do", title=f"problems: {len(problems)}", title_justify="left")
    for file, rule, remedy in problems[:SHOWN]:
        short = str(Path(file).relative_to(folder)) if file and Path(file).is_relative_to(folder) else file
        table.add_row(escape(short), escape(rule.replace(f"{folder}/", "")), escape(remedy))
    if len(problems) > SHOWN:
        table.add_row("...", f"{len(problems) - SHOWN} more", "")
    return table


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m launch.check_data", description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="the folder of a dataset, or of images")
    parser.add_argument("--layout", help=f"one of {', '.join(layouts.names())} (default: what fits)")
    parser.add_argument(
        "--option", type=_key_value, action="append", default=[], metavar="KEY=VALUE", help="an option of the layout"
    )
    return parser.parse_args(arguments)


def _key_value(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r}; write KEY=VALUE, for example category=hazelnut")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value  # A plain word is a string.


if __name__ == "__main__":
    sys.exit(main())
