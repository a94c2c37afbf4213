"""Looks a folder of pictures over before anything is trained on it: what is in it, and what is wrong with it.

    python -m launch.check_data FOLDER [--layout NAME] [--option KEY=VALUE ...]

Every picture and mask is decoded. Without --layout each layout is tried, and one that fits is taken; where none fits,
all pictures below the folder are checked by themselves. Ends with status 0 if nothing is wrong and 1 if something is.
"""

import argparse
import ast
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from data_pipeline import layouts, pictures
from data_pipeline.load import list_records
from data_pipeline.record import Record, Sample, read

SHOWN = 50  # Problems listed one by one; the rest is only counted.
MODES = {
    "L": "8-bit grey", "RGB": "8-bit colour", "1": "1-bit", "P": "palette, read as colour",
    "I;16": "16-bit grey, divided by 257", "I": "16-bit grey, divided by 257", "CMYK": "print colours, read as RGB",
    "RGBA": "transparent, laid on black", "LA": "transparent, laid on black",
}  # fmt: skip
FULL_MASK = 0.9  # A mask that marks more of its picture than this is taken for an inverted one.


class Problem(NamedTuple):
    """What is wrong with a file, by which rule, and what to do."""

    file: str
    rule: str
    remedy: str


class Look(NamedTuple):
    """What was seen in one picture: height and width in pixels, Pillow's mode, and the number of defect pixels."""

    record: Record
    height: int
    width: int
    mode: str
    area: int | None


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    console = Console()
    folder = Path(options.folder).expanduser()
    try:
        name, records, notes = choose(folder, options.layout, dict(options.option))
    except (OSError, ValueError) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 1
    found = f"[bold]{name or 'no known layout'}[/], {len(records)} pictures"
    console.print(f"{escape(str(folder))}: {found}", highlight=False)
    looks, problems = inspect(track(records, "reading", console=Console(stderr=True), transient=True))
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


def choose(folder: Path, layout: str | None, options: dict[str, object]) -> tuple[str | None, list[Record], list[str]]:
    """The layout's name (None: none fits), the records it finds, and notes on the choice.

    Raises FileNotFoundError or ValueError where there is no folder, no picture in it, or the named layout refuses it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; give the folder of a dataset or of pictures")
    if layout is not None:
        return layout, list_records(layout, folder, **options), []
    fits, refusals = {}, []
    for name in layouts.names():
        if layouts.needs_folder(layouts.find(name)):
            try:
                fits[name] = list_records(name, folder, **options)
            except (FileNotFoundError, ValueError) as error:
                refusals.append(f"not {name}: {str(error).replace(str(folder), folder.name)}")
    if fits:
        name = max(fits, key=lambda fit: len(fits[fit]))
        others = [f"it also fits {other}; choose with --layout" for other in fits if other != name]
        return name, fits[name], others
    plain = sorted(path for path in folder.rglob("*") if pictures.is_picture(path))
    if not plain:
        raise FileNotFoundError(f"{folder}: no pictures in it; known kinds: {', '.join(sorted(pictures.SUFFIXES))}")
    records = [Record(path.relative_to(folder).as_posix(), path, None, 0, "", "", "") for path in plain]
    return None, records, ["no layout fits, so the pictures are checked by themselves", *refusals]


def inspect(records: Sequence[Record]) -> tuple[list[Look], list[Problem]]:
    """Decodes every record; what was seen, and what is wrong with single pictures."""
    looks, problems = [], []
    first: dict[bytes, Record] = {}
    for record in records:
        try:
            sample = read(record, channels=None)
            mode = pictures.header(record.image)[2] if record.image else ""
        except (OSError, ValueError) as error:
            problems.append(_from_error(error, record))
            continue
        height, width = sample.image.shape[:2]
        area = int(sample.mask.sum()) if sample.mask is not None and record.label else None
        looks.append(Look(record, height, width, mode, area))
        problems += [Problem(str(record.image or record.id), *found) for found in _rules_of_a_picture(sample, mode)]
        twin = first.setdefault(hashlib.sha256(sample.image.tobytes()).digest(), record)
        if twin is not record:
            rule = f"the same picture as {twin.image or twin.id}"
            problems.append(Problem(str(record.image or record.id), rule, "remove one of the two"))
    return looks, problems


def _rules_of_a_picture(sample: Sample, mode: str) -> Iterator[tuple[str, str]]:
    """(rule, remedy) of everything wrong with a decoded picture."""
    if sample.image.min() == sample.image.max():
        yield f"every pixel is {sample.image.min()}", "replace the picture"
    elif mode in pictures.WIDE and sample.image.max() < 32:
        yield (
            f"a 16-bit picture that uses only {sample.image.max() + 1} of 256 grey levels once it is 8-bit",
            "rescale it to the 16-bit range (12-bit cameras: multiply by 16)",
        )
    if sample.mask is None:
        yield "a defective picture without a mask", "outline the defect, or load with allow_unmasked=True"
    elif sample.label and not sample.mask.any():
        yield "the mask of a defective picture marks nothing", "outline the defect, or file the picture as good"
    elif sample.mask.mean() > FULL_MASK:
        yield f"the mask marks {sample.mask.mean():.0%} of the picture", "invert it if white means good"


def rules_of_sets(records: Sequence[Record], *, supervised: bool) -> list[Problem]:
    """What is wrong with the records as a whole: repeated ids, and (in a known layout) too few normal pictures."""
    problems = []
    for name, count in Counter(record.id for record in records).items():
        if count > 1:
            problems.append(Problem(name, f"{count} pictures have this name", "rename them, file type aside"))
    normal = sum(not record.label and record.split != "test" for record in records)
    if supervised and normal < 2:
        rule = f"{normal} normal pictures to train on; one is needed to train and one to calibrate"
        problems.append(Problem("", rule, "add normal pictures"))
    return problems


def unused(folder: Path, records: Sequence[Record]) -> tuple[list[Problem], list[str]]:
    """Pictures below the folder that belong to no record: problems beside used ones, notes in folders of their own."""
    used = {path for record in records for path in (record.image, record.mask, *record.more) if path}
    near = {path.parent for path in used}
    strays = sorted(path for path in folder.rglob("*") if pictures.is_picture(path) and path not in used)
    rule = "belongs to nothing: a mask without its picture, or a name the layout does not know"
    problems = [Problem(str(path), rule, "rename or remove it") for path in strays if path.parent in near]
    apart = Counter(path.parent for path in strays if path.parent not in near)
    return problems, [f"{count} pictures in {parent} are not part of the layout" for parent, count in apart.items()]


def tables(looks: Sequence[Look]) -> Iterator[Table]:
    """Counts by split, kind and surface with sizes and defect areas; then the modes of the files."""
    table = Table("split", "kind", "surface", title="pictures; defect pixels: median (range)", title_justify="left")
    for title in ("pictures", "masks", "height x width", "defect pixels"):
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
    modes.add_column("pictures", justify="right")
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


def _from_error(error: Exception, record: Record) -> Problem:
    """Our own errors read "file: what is wrong; what to do"."""
    text, file = str(error), str(record.image or record.id)
    for path in (record.image, record.mask, *record.more):
        if path and text.startswith(f"{path}: "):
            file, text = str(path), text.removeprefix(f"{path}: ")
    rule, _, remedy = text.rpartition("; ")
    return Problem(file, rule or text, remedy if rule else "")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m launch.check_data", description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="the folder of a dataset, or of pictures")
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
