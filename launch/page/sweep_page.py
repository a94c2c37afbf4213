"""The page of a sweep: what it found, figures against every axis, the paper beside them, images, runs.

Like the page of a run it is one file without a request to anywhere. `results` is the JSON-like account of the sweep:
name, title, about, source, command, size, axes, fixed, datasets, seeds, figures, rows (runs), cells (settings),
unfilled, notes and, where there are any, groups, trainings and `compared` (runs that no sweep has made). A setting is a
dict `at` of axis name to value. What is undefined is None or missing, and shown as a dash.
"""

import itertools
import math
import os
import statistics
from pathlib import Path
from typing import Any
from urllib.parse import quote

from launch.command import files
from launch.page import detectors_beside
from launch.page.comparison import LOOKED_AT, home_of, label, side_by_side
from launch.page.groups import groups
from launch.page.render import as_json, is_number, number, render
from launch.page.terms import TERMS

STYLES = ("base.css", "sweep.css")
SCRIPTS = ("svg.js", "maps.js", "axes.js", "sweep.js")
MANY = 5  # settings that are named, and sets of images that have a table each, one by one


def write_sweep_page(results: dict[str, Any], folder: Path, *, out: Path | None = None) -> Path:
    """Writes the page to `out` (default folder/sweep.html, else in that folder), whole or not at all. Returns its path.

    Images are read from folder/runs/NAME/images, or from where a row says its run lies ("folder"); those that are lost
    are noted on the page.
    """
    out = Path(out or Path(folder) / "sweep.html")
    filters = {"shown": shown, "signed": signed}
    html = render("sweep.html", page(results, Path(folder)), styles=STYLES, scripts=SCRIPTS, filters=filters)
    with files.replacing(out) as file:
        file.write(html)
    return out


def page(results: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Everything the template shows."""
    settings, images, lost = side_by_side(results, folder)
    axes, cells, figures = results["axes"], results["cells"], results["figures"]
    unlike = detectors_beside.differ(results)
    trained, logged = ([], []) if unlike else trainings(results)  # Unlike losses share no scale.
    varied = [axis for axis in axes if len(axis["values"]) > 1] or axes
    names = [axis["name"] for axis in varied]
    sets = image_sets(varied)
    tables = [table(figure, cells, sets) for figure in figures]
    beside = [detectors_beside.beside(results, names, group) for group in sets] if unlike and len(sets) <= MANY else []
    apart = [row["at"] for group in beside for row in group["rows"] if row["other"]]  # tested on other images
    rivals = results | {"cells": [cell for cell in cells if cell["at"] not in apart]}
    states = list({row["name"]: row["status"] for row in results["rows"]}.values())
    return {
        "sweep": results, "varied": varied,
        # What was looked at comes last: the question of a sweep is how to set a run.
        "order": sorted(range(len(varied)), key=lambda place: varied[place]["name"] in LOOKED_AT),
        "notes": [*results["notes"], *lost],
        "counts": {status: states.count(status) for status in ("finished", "failed", "unfinished")},
        "answers": [[answer(rivals, figure, names, group) for group in sets] for figure in figures],
        # A figure that was published, where there is one, is what the page opens with.
        "main": next((place for place, table in enumerate(tables) if table["paper"]), 0),
        "beside": beside,
        "terms": TERMS,
        "overall": overall(results["cells"], figures, varied) if len(sets) > 2 else [],
        "groups": [beside for figure in figures if (beside := groups(results, figure))],
        "tables": tables,
        "heats": [heat(figure, cells, varied, sets) for figure in figures] if len(varied) > 1 else [],
        "unfilled": [{**entry, "label": label(entry["at"], list(entry["at"]))} for entry in results["unfilled"]],
        "pages": {row["name"]: address(folder, row) for row in results["rows"]},
        "images": images, "logged": logged,
        "trained": list(dict.fromkeys(entry["at"].get("images", "") for entry in trained)),
        "data": as_json({
            "axes": varied, "figures": figures, "settings": settings, "images": images, "trainings": trained,
            "cells": [
                {name: cell.get(name) or {} for name in ("at", "mean", "std", "paper")} | {"finished": cell["finished"]}
                for cell in cells if all(cell["at"].get(axis["name"]) in axis["values"] for axis in varied)
            ],
            "rows": [{name: row[name] for name in ("at", "status", "figures")} for row in results["rows"]],
        }),
    }  # fmt: skip


def image_sets(axes: list[dict]) -> list[dict[str, str]]:
    """Every choice of what was looked at, whose figures are no rivals of each other's; [{}] where there is one."""
    axes = [axis for axis in axes if axis["name"] in LOOKED_AT and len(axis["values"]) > 1]
    choices = itertools.product(*(axis["values"] for axis in axes))
    return [dict(zip((axis["name"] for axis in axes), choice, strict=True)) for choice in choices]


def overall(cells: list[dict], figures: list[dict], axes: list[dict]) -> list[dict[str, Any]]:
    """Each way to set a run over all sets of images it has figures of: their mean, spread and the worst set.

    figures: {mean, std (n - 1, over sets), worst, where} of each figure, None where it is undefined.
    """
    axes = [axis for axis in axes if axis["name"] not in LOOKED_AT]
    choices = [
        dict(zip((a["name"] for a in axes), c, strict=True)) for c in itertools.product(*(a["values"] for a in axes))
    ]
    rows = []
    for at in choices:
        of_setting, row = [cell for cell in cells if at.items() <= cell["at"].items()], []
        for figure in figures:
            values = [(mean, cell) for cell in of_setting if (mean := of(cell, "mean", figure["key"])) is not None]
            if not values:
                row.append(None)
                continue
            choose = max if figure["better"] == "low" else min
            worst, where = choose(values, key=lambda pair: pair[0])
            named = {name: value for name, value in where["at"].items() if name not in at}
            means = [mean for mean, _ in values]
            std = statistics.stdev(means) if len(means) > 1 else None
            row.append(
                {"mean": statistics.fmean(means), "std": std, "worst": worst, "where": label(named, list(named))}
            )
        rows.append({"label": label(at, list(at)), "sets": len(of_setting), "figures": row})
    return rows


def trainings(results: dict) -> tuple[list[dict], list[str]]:
    """The settings something was logged of while they trained, and the names of what was, the loss first."""
    drawn, names = [], {}
    for entry in results.get("trainings") or []:
        logged = [name for name, values in entry["logged"].items() if name != "step" and any(map(is_number, values))]
        names |= dict.fromkeys(logged)
        drawn += [entry] if logged else []
    return drawn, sorted(names, key=lambda name: name != "loss")


def address(folder: Path, row: dict[str, Any]) -> str | None:
    """Where the page of a run lies from the page of its sweep; None where there is none."""
    there = home_of(folder, row) / "report.html"
    inside = "folder" in row or Path(row["name"]).name == row["name"]
    return quote(os.path.relpath(there, folder), safe="/") if inside and there.exists() else None


def of(cell: dict, what: str, key: str) -> float | None:
    """A cell's mean, std or paper value of a figure; None where it has none."""
    value = (cell.get(what) or {}).get(key)
    return value if is_number(value) else None


def better_elsewhere(paper: dict | None, unfilled: list[dict], figure: dict) -> dict | None:
    """The paper's best value for settings outside of this sweep, if it beats its best for those inside."""
    sign = -1 if figure["better"] == "low" else 1
    rival = max(
        (entry for entry in unfilled if is_number(entry["value"])),
        key=lambda entry: sign * entry["value"],
        default=None,
    )
    if rival is None or (paper and sign * rival["value"] <= sign * of(paper, "paper", figure["key"])):
        return None
    return {"label": label(rival["at"], list(rival["at"])), "value": rival["value"]}


def difference(cell: dict, key: str) -> float | None:
    """Measured mean minus the paper's value; None unless both are known."""
    mean, paper = of(cell, "mean", key), of(cell, "paper", key)
    return None if mean is None or paper is None else mean - paper


def best(cells: list[dict], figure: dict, what: str) -> dict | None:
    """The cell whose `what` (mean or paper) is best; None where none has a value."""
    value = lambda cell: of(cell, what, figure["key"])
    choose = min if figure["better"] == "low" else max
    return choose((cell for cell in cells if value(cell) is not None), key=value, default=None)


def winners(cells: list[dict], figure: dict, sets: list[dict[str, str]]) -> list[int]:
    """The places of the best cells, one for each set of images."""
    groups = [[cell for cell in cells if group.items() <= cell["at"].items()] for group in sets]
    best_cells = [best(group, figure, "mean") for group in groups]
    return [place for place, cell in enumerate(cells) if any(cell is winner for winner in best_cells)]


def answer(results: dict, figure: dict, names: list[str], group: dict[str, str]) -> dict[str, Any]:
    """What the sweep says of its main figure on one set of images: the best setting here and in the paper.

    `close` names the settings whose mean is within one standard deviation of the best one's.
    """
    key, names = figure["key"], [name for name in names if name not in group]
    cells = [cell for cell in results["cells"] if group.items() <= cell["at"].items()]
    rows = [row["status"] for row in results["rows"] if group.items() <= row["at"].items()]

    def described(cell: dict | None, what: str) -> dict | None:
        if cell is None:
            return None
        equal = [label(other["at"], names) for other in cells if of(other, what, key) == of(cell, what, key)]
        words = all_of(equal) + (" alike" if len(equal) > 1 else "")
        numbers = {what: of(cell, what, key) for what in ("mean", "std", "paper")}
        return {"label": words, "runs": cell["finished"], **numbers}

    outside = [
        entry for entry in results["unfilled"] if entry["figure"] == key and group.items() <= entry["at"].items()
    ]
    here, paper = best(cells, figure, "mean"), best(cells, figure, "paper")
    mean, std = (of(here or {}, what, key) for what in ("mean", "std"))
    rivals = [cell for cell in cells if cell is not here and of(cell, "mean", key) is not None and std is not None]
    return {
        "group": label(group, list(group)) if group else None, "compared": bool(names), "settings": len(cells),
        "measured": sum(of(cell, "mean", key) is not None for cell in cells), "runs": len(rows),
        "here": described(here, "mean"), "paper": described(paper, "paper"),
        "same": bool(here and paper) and of(here, "paper", key) == of(paper, "paper", key),
        "elsewhere": better_elsewhere(paper, outside, figure),
        "finished": rows.count("finished"), "failed": rows.count("failed"),
        "close": [described(cell, "mean") for cell in rivals if abs(of(cell, "mean", key) - mean) <= std],
        "gaps": [gap for cell in cells if (gap := difference(cell, key)) is not None],
    }  # fmt: skip


def all_of(names: list[str]) -> str:
    """ "dct, phot and lca"; of many only the first and how many more."""
    if len(names) > MANY:
        names = [*names[:MANY], f"{len(names) - MANY} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def table(figure: dict, cells: list[dict], sets: list[dict[str, str]]) -> dict[str, Any]:
    """One figure of every setting, beside the paper's where it has one."""
    key, bold = figure["key"], winners(cells, figure, sets)
    rows = [
        {name: cell[name] for name in ("at", "finished", "failed")}
        | {what: of(cell, what, key) for what in ("mean", "std", "paper")}
        | {"difference": difference(cell, key), "best": place in bold}
        for place, cell in enumerate(cells)
    ]
    return {"figure": figure, "rows": rows, "paper": any(row["paper"] is not None for row in rows)}


def heat(figure: dict, cells: list[dict], axes: list[dict], sets: list[dict[str, str]]) -> dict[str, Any]:
    """Means of one figure over two axes, a square for each setting of the others; 0 is the worst mean, 1 the best.

    The longer of the first two axes runs down: pages scroll downwards.
    """
    key, bold = figure["key"], winners(cells, figure, sets)
    down, across = sorted(axes[:2], key=lambda axis: -len(axis["values"]))
    rest = axes[2:]
    means = [mean for cell in cells if (mean := of(cell, "mean", key)) is not None]
    low, high = (min(means), max(means)) if means else (None, None)

    def square(at: dict[str, str]) -> dict[str, Any]:
        place = next((place for place, cell in enumerate(cells) if at.items() <= cell["at"].items()), None)
        cell = {} if place is None else cells[place]
        mean = of(cell, "mean", key)
        part = 1.0 if mean is None or high == low else (mean - low) / (high - low)
        part = 1.0 - part if figure["better"] == "low" and low != high else part
        return {
            "mean": mean,
            "std": of(cell, "std", key),
            "part": None if mean is None else part,
            "best": place in bold,
        }

    squares = []
    for values in itertools.product(*(axis["values"] for axis in rest)):
        fixed = {axis["name"]: value for axis, value in zip(rest, values, strict=True)}
        rows = [
            (value, [square({**fixed, down["name"]: value, across["name"]: other}) for other in across["values"]])
            for value in down["values"]
        ]
        squares.append({"title": label(fixed, [axis["name"] for axis in rest]) if rest else "", "rows": rows})
    return {"figure": figure, "low": low, "high": high, "down": down["name"], "across": across, "squares": squares}


def shown(value: Any, figure: dict | None = None) -> str:
    """A value of a figure with its unit: "0.712", "61.2 s"; an undefined one as a dash without."""
    if not is_number(value):
        return "–"
    unit, size = (figure or {}).get("unit"), abs(value)
    if (figure or {}).get("whole"):  # Images are counted; only a mean over seeds has a part of one.
        return f"{value:.{0 if value == round(value) else 1}f}"
    # Three decimals suit what lies in [0, 1], three digits the rest; a fixed number keeps columns aligned.
    digits = 3 if size < (1 if unit else 10) else 2 if size < 10 else 1 if size < 100 else 0
    text = f"{value:.{digits}f}" if size == 0 or 0.001 <= size < 1e6 else f"{value:.1g}" if size < 1 else number(value)
    return f"{text} {unit}" if unit else text


def signed(value: Any, figure: dict | None = None) -> str:
    """A difference, always with its sign."""
    if not is_number(value):
        return "–"
    sign = "−" if value < 0 else "+"
    return sign + shown(math.fabs(value), figure)
