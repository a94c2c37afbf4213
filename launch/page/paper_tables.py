"""The tables of docs/reproduction.md, from small files of results: docs/results/NAME.csv, a row for each figure of a
setting.

    images,loss,score,figure,mean,std,runs,values,paper        what the sweep varies, then the figure
    irregular,L1,published,pixel.f1,0.014,0.001,3,,0.66        values: of each seed, in order, where they were kept

The page names them between marks, with what stands in the columns: labels of the sweep (with & between them) and,
last, a figure.

    <!-- results table3-nanotwice: published pixel.f1; tuned pixel.auroc -->
    <!-- /results -->
"""

import csv
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from launch.command import markdown
from launch.page.render import render

KEPT = ("figure", "mean", "std", "runs", "values", "paper")
BLOCK = re.compile(r"(<!-- results (?P<name>[\w-]+): (?P<columns>[^\n]*?) -->\n).*?(<!-- /results -->)", re.S)
NUMBER = re.compile(r"-?\d*\.?\d+")  # a label of the axis that a line is drawn along
TIMINGS = "timings."  # how figures begin that are no shares, and may be many times as large as others
LEVEL = 0.05  # that differences by chance are called real, over a whole column


class Row(NamedTuple):
    """A figure of one setting. at: the labels of the sweep; values: of each seed, or none where these were not kept."""

    at: tuple[str, ...]
    figure: str
    mean: float
    std: float | None
    runs: int
    values: tuple[float, ...]
    paper: float | None


class Table(NamedTuple):
    """The results of a sweep. axes: what it varies."""

    axes: tuple[str, ...]
    rows: tuple[Row, ...]


class Column(NamedTuple):
    """axes: what tells the rows of the page apart; cells: {their labels: its result}."""

    title: str
    axes: tuple[str, ...]
    cells: dict[tuple[str, ...], Row]


def of_sweep(results: dict[str, Any]) -> Table:
    """The table of what `results.collect` says of a sweep."""
    axes = tuple(axis["name"] for axis in results["axes"])
    rows = []
    for cell in results["cells"]:
        same = [row for row in results["rows"] if row["at"] == cell["at"] and row["status"] == "finished"]
        same.sort(key=lambda row: row["seed"])
        for key in (figure["key"] for figure in results["figures"] if cell["mean"].get(figure["key"]) is not None):
            values = tuple(row["figures"][key] for row in same if row["figures"].get(key) is not None)
            at = tuple(str(cell["at"].get(axis, "")) for axis in axes)
            rows.append(Row(at, key, cell["mean"][key], cell["std"][key], len(values), values, cell["paper"].get(key)))
    return Table(axes, tuple(rows))


def as_csv(table: Table) -> str:
    """The file of a table, to five digits."""
    short = lambda value: "" if value is None else f"{value:.5g}"
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*table.axes, *KEPT])
    for row in table.rows:
        values = " ".join(map(short, row.values))
        writer.writerow([*row.at, row.figure, short(row.mean), short(row.std), row.runs, values, short(row.paper)])
    return out.getvalue()


def read(path: Path) -> Table:
    """A kept table. Raises ValueError, naming the file and the line, where it is none."""
    lines = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    axes, number = tuple(lines[0][: -len(KEPT)]), lambda text: float(text) if text else None
    if tuple(lines[0][-len(KEPT) :]) != KEPT:
        raise ValueError(f"{path} is no table of results: its first line must end with {','.join(KEPT)}")
    rows = []
    for place, line in enumerate(lines[1:], 2):
        try:
            *at, figure, mean, std, runs, values, paper = line
            numbers = tuple(map(float, values.split()))
            rows.append(Row(tuple(at), figure, float(mean), number(std), int(runs), numbers, number(paper)))
        except ValueError as error:
            raise ValueError(f"{path}, line {place}: {error}; write it anew from its sweep") from error
    return Table(axes, tuple(rows))


def columns_of(table: Table, wanted: str) -> list[Column]:
    """The columns that a page asks for; raises ValueError for one that no result is in."""
    columns = [_column(table, title.strip()) for title in wanted.split(";")]
    if len({column.axes for column in columns}) > 1:
        raise ValueError(f"the columns {wanted!r} leave different rows; name a label of the same axes in each")
    return columns


def _column(table: Table, title: str) -> Column:
    text, _, figure = title.rpartition(" ")
    labels = text.split(" & ") if text else []
    rows = [row for row in table.rows if row.figure == figure and all(label in row.at for label in labels)]
    if not rows:
        raise ValueError(f"no result is in the column {title!r}; there are the figures "
                         f"{', '.join(sorted({row.figure for row in table.rows}))}")  # fmt: skip
    told = {rows[0].at.index(label) for label in labels}
    several = [place for place in range(len(table.axes)) if len({row.at[place] for row in table.rows}) > 1]
    left = [place for place in several if place not in told] or [0]
    at = lambda row: tuple(row.at[place] for place in left)
    return Column(title, tuple(table.axes[place] for place in left), {at(row): row for row in rows})


def written(name: str, table: Table, wanted: str) -> str:
    """What stands between the marks: the picture, the table, and which settings differ by more than chance."""
    columns = columns_of(table, wanted)
    places = list(dict.fromkeys(at for column in columns for at in column.cells))
    lines = [[*at, *(cell(column.cells.get(at)) for column in columns)] for at in places]
    told = "".join(f"\n{line}\n" for line in map(differing, columns) if line)
    shown = f"![{columns[0].title} by {', '.join(columns[0].axes)}](results/{name}.svg)\n\n"
    return f"{shown}{markdown.table([*columns[0].axes, *(column.title for column in columns)], lines)}\n{told}"


def cell(row: Row | None) -> str:
    """mean ± standard deviation (the paper's; ours less the paper's, but of times, which are of other machines)."""
    if row is None:
        return "–"
    timing = row.figure.startswith(TIMINGS)
    digits = short if timing else "{:.3f}".format
    spread = f" ± {digits(row.std)}" if row.std is not None else ""
    apart = "" if timing or row.paper is None else f"; {row.mean - row.paper:+.2f}"
    beside = f" ({row.paper:g}{apart})" if row.paper is not None else ""
    return f"{digits(row.mean)}{spread}{beside}"


def short(value: float) -> str:
    """Three digits, or all of a large number that stand before its point."""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def differing(column: Column) -> str:
    """Which settings are worse than the best one of a column: paired t-tests over seeds, corrected by Holm's rule."""
    kept = {at: row for at, row in column.cells.items() if len(row.values) >= 3}
    if len(kept) < 2 or len({len(row.values) for row in kept.values()}) > 1:
        return ""
    best = max(kept, key=lambda at: kept[at].mean)
    others = [at for at in kept if at != best]
    p = [stats.ttest_rel(kept[best].values, kept[at].values, alternative="greater").pvalue for at in others]
    worse = [others[place] for place in holm(np.nan_to_num(p, nan=1.0))]
    name = ", ".join
    told = "; ".join(map(name, worse)) or "none"
    return (f"`{column.title}` is best with {name(best)}; worse by more than chance (t-tests paired by seed, Holm's "
            f"correction for {len(others)}, {LEVEL:g}): {told}.")  # fmt: skip


def holm(p: Sequence[float]) -> list[int]:
    """The places of the hypotheses that fall at LEVEL. Source: Holm, Scandinavian Journal of Statistics 6, 1979."""
    order = np.argsort(p, kind="stable")
    falls = [p[place] <= LEVEL / (len(p) - rank) for rank, place in enumerate(order)]
    first_kept = falls.index(False) if False in falls else len(falls)
    return sorted(order[:first_kept].tolist())


def picture(table: Table, wanted: str) -> str:
    """An SVG of the first column and those of the same figure: ours as dots with a line of ± one standard deviation,
    the paper's as rings.
    """
    first, *others = columns_of(table, wanted)
    figure_of = lambda column: column.title.split(" ")[-1]
    series = [column for column in (first, *others) if figure_of(column) == figure_of(first)]
    rows = [row for column in series for row in column.cells.values()]
    reach = [row.paper for row in rows if row.paper is not None]
    reach += [row.mean + sign * (row.std or 0) for row in rows for sign in (-1, 1)]
    scale = decades(reach) if figure_of(first).startswith(TIMINGS) else even(reach)
    content = {
        "figure": figure_of(first), "axis": ", ".join(first.axes), "series": series, "places": list(first.cells),
        "of_paper": any(row.paper is not None for row in rows), "height_of": scale.height_of, "ticks": scale.ticks,
        "numbers": all(NUMBER.fullmatch(label) for at in first.cells for label in at),
    }  # fmt: skip
    return render("paper_table.svg", content, styles=(), scripts=())


class Scale(NamedTuple):
    """Of an axis. height_of: value -> its place, from 0 at the bottom to 1."""

    ticks: list[float]
    height_of: Callable[[float], float]


def even(values: Sequence[float]) -> Scale:
    """From 0, or the least of them, to the greatest."""
    low, high = min(0.0, *values), max(0.0, *values)
    high = high if high > low else low + 1
    return Scale(ticks(low, high), lambda value: (value - low) / (high - low))


def decades(values: Sequence[float]) -> Scale:
    """Powers of ten, around values above 0."""
    powers = [int(np.floor(np.log10(min(values)))), int(np.ceil(np.log10(max(values))))]
    powers[1] = max(powers[1], powers[0] + 1)
    marks = [10.0**power for power in range(powers[0], powers[1] + 1)]
    return Scale(marks, lambda value: float((np.log10(value) - powers[0]) / (powers[1] - powers[0])))


def ticks(low: float, high: float) -> list[float]:
    """Four to nine round numbers between two."""
    step = 10.0 ** np.floor(np.log10(max(high - low, 1e-9) / 4))
    step = next(step * factor for factor in (5, 2, 1) if (high - low) / (step * factor) >= 4 or factor == 1)
    return [float(value) for value in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step]


def rewritten(page: str, folder: Path) -> tuple[str, dict[str, str]]:
    """The page with its tables as the files of `folder` have them, and {name: SVG}."""
    pictures = {}

    def table_of(match: re.Match) -> str:
        name, wanted = match["name"], match["columns"]
        table = read(folder / f"{name}.csv")
        pictures[name] = picture(table, wanted)
        return f"{match[1]}{written(name, table, wanted)}{match[4]}"

    return BLOCK.sub(table_of, page), pictures
