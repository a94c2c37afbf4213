"""Any finished runs as one table: what `launch.compare` shows of folders that no sweep has made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launch.page.run_folder import read_result, settings, test_of
from launch.sweeping.results import figure_of, look_up

FIGURES = (
    "image.misses", "image.false_alarms", "pixel.f1", "pixel.ap", "pixel.pro", "image.auroc", "image.ap",
    "pixel.auroc", "pixel.oracle.f1", "timings.score_ms_per_image",
)  # fmt: skip
LEADING = "pixel.ap"  # what the page opens with: neither a threshold nor the number of good pixels moves it
IMAGES = "image.auroc"  # where no pixels were judged


def collect(folders: Sequence[Path]) -> dict[str, Any]:
    """The runs as the page of a sweep shows them, see `sweep_page`; one row and one setting for each.

    Raises ValueError or FileNotFoundError, naming the folder and the remedy, where one is no evaluated run.
    """
    folders = [folder.resolve() for folder in folders]
    twice = next((folder for folder in folders if folders.count(folder) > 1), None)
    if twice or len(folders) < 2:
        raise ValueError(f"{twice} is given twice; give each run once" if twice else "give two runs or more to compare")
    labels, results = names_of(folders), [result_of(folder) for folder in folders]
    rows = [row(label, *run) for label, run in zip(labels, zip(folders, results, strict=True), strict=True)]
    known = [key for key in FIGURES if any(row["figures"][key] is not None for row in rows)]
    leading = LEADING if LEADING in known else IMAGES
    known.sort(key=lambda key: key != leading)
    cells = [
        {"at": row["at"], "finished": 1, "failed": 0, "mean": row["figures"], "std": {}, "paper": {}} for row in rows
    ]
    notes = [f"{label}: {text}" for label, result in zip(labels, results, strict=True)
             for text in result.get("warnings") or []]  # fmt: skip
    return {
        "name": "comparison", "title": f"{len(rows)} runs compared", "about": "", "source": "", "command": "",
        "compared": True, "size": "full", "axes": [{"name": "run", "values": labels, "numbers": None}], "fixed": {},
        "datasets": datasets_of(results), "seeds": [], "figures": [figure_of(key) for key in known], "rows": rows,
        "cells": cells, "unfilled": [], "notes": notes, "agreements": [],
    }  # fmt: skip


def names_of(folders: Sequence[Path]) -> list[str]:
    """Of each path the shortest end that no other one has."""
    end = lambda folder, length: "/".join(folder.parts[-length:])
    lengths = range(1, max(len(folder.parts) for folder in folders) + 1)
    alone = lambda folder, length: sum(end(other, length) == end(folder, length) for other in folders) == 1
    return [end(folder, next(length for length in lengths if alone(folder, length))) for folder in folders]


def result_of(folder: Path) -> dict[str, Any]:
    """result.json of an evaluated run; or an error that says what the folder is instead."""
    if (folder / "sweep.json").is_file():
        raise ValueError(f"{folder} is a sweep, which has a page of its own; give its runs, {folder / 'runs'}/...")
    if (folder / "surfaces" / "config.json").is_file():
        raise ValueError(
            f"{folder} is a two-stage system; give its runs, {folder / 'surfaces'} or {folder}/defects/..."
        )
    if not (folder / "result.json").is_file():
        if not (folder / "config.json").is_file():
            raise FileNotFoundError(f"{folder} is no run: it has no config.json. Give folders named by launch.train")
        raise FileNotFoundError(f"{folder} was not evaluated: it has no result.json. Finish it with launch.train "
                                f"--workdir {folder}, or run launch.evaluate {folder}")  # fmt: skip
    return read_result(folder)


def row(label: str, folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    """A run as a row of the table."""
    return {
        "name": label, "at": {"run": label}, "seed": result.get("seed"), "status": "finished",
        "detector": result["detector"], "figures": {key: look_up(result, key, None) for key in FIGURES},
        "seconds": (result.get("timings") or {}).get("train_s"), "command": settings(folder)[1] or "",
        "error": None, "shared_with": None, "folder": str(folder), "test": test_of(folder, result),
    }  # fmt: skip


def datasets_of(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each set of images once."""
    found = []
    for result in results:
        dataset = {"images": ""} | {name: result["dataset"].get(name) for name in ("name", "root", "counts")}
        found += [] if dataset in found else [dataset]
    return found
