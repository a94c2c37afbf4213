"""What came of a sweep: its runs, the mean and spread over seeds of each setting, the paper's values beside them."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launch.command import configuration
from launch.page.run_folder import read_columns, test_of
from launch.run.folder import read_result
from launch.sweeping import plan
from launch.sweeping.agreement import agreements
from launch.sweeping.plan import Plan, Planned

NAMES = {"f1": "F1", "auroc": "AUROC", "ap": "average precision", "pro": "PRO", "score_ms_per_image": "ms per image"}
TRAINING_POINTS = 100  # of a training curve on the page
UNKNOWN = {"error": "failed.json cannot be read", "traceback": ""}
LOW = ("misses", "false_alarms", "timings")  # Parts of a figure's name of which less is better.


def collect(folder: Path) -> dict[str, Any]:
    """The sweep as the page shows it and sweep.csv lists it; see the keys below. Missing figures are None.

    Raises FileNotFoundError or ValueError where the folder is no sweep or a result in it is damaged.
    """
    sweep = plan.read(folder)
    about = sweep.about
    finished = {run.name: _result(run) for run in sweep.runs}
    rows = [row for run in sweep.runs for row in _rows(sweep, run, finished[run.name])]
    cells = _cells(about, rows)
    trainings = _trainings(sweep)
    kinds = [{"name": "kind", "values": list(dict.fromkeys(r["at"]["kind"] for r in rows if "kind" in r["at"]))}]
    axes = [{"name": a["name"], "values": a["labels"], "numbers": a["numbers"]} for a in about["axes"]]
    return {
        "name": about["name"], "title": about["title"], "about": about["about"], "source": about["source"],
        "command": about["command"], "size": about["size"],
        "axes": axes + [axis | {"numbers": None} for axis in kinds if about["by_kind"] and axis["values"]],
        "fixed": about["fixed"], "groups": about.get("groups", ""),
        "datasets": _datasets(about, sweep.runs, finished),
        "seeds": about["seeds"], "figures": [figure_of(key) for key in about["figures"]] + _multiples(about, cells),
        "rows": rows, "cells": cells, "trainings": trainings, "unfilled": _unfilled(about, cells),
        "notes": _notes(about, finished), "agreements": agreements(about, cells),
    }  # fmt: skip


def headline(sweep: Plan, run: Planned) -> str:
    """A run's first figure, or why it failed, in a few words."""
    if run.status == "failed":
        return f"failed: {(plan.read_failure(run) or UNKNOWN)['error']}"
    key = sweep.about["figures"][0]
    value = look_up(_result(run) or {}, key, None)
    return f"{figure_of(key)['title']} {'-' if value is None else format(value, '.3g')}"


def _result(run: Planned) -> dict[str, Any] | None:
    if run.status != "finished":
        return None
    return read_result(run.folder, remedy="the launch.sweep command again")


def _rows(sweep: Plan, run: Planned, result: dict[str, Any] | None) -> list[dict[str, Any]]:
    twin = run.folder / "trained_by.json"
    row = {
        "name": run.name, "at": run.at, "seed": run.seed, "status": run.status, "figures": {},
        "detector": run.config.detector, "test": None,
        "seconds": None, "command": configuration.command(run.config),
        "error": (plan.read_failure(run) or UNKNOWN) if run.status == "failed" else None,
        "shared_with": twin.read_text(encoding="utf-8", errors="replace").strip('"') if twin.is_file() else None,
    }  # fmt: skip
    if result is None:
        return [row]
    row |= {"seconds": (result.get("timings") or {}).get("train_s"), "test": test_of(run.folder, result)}
    kinds = sorted(result["figures"].get("by_kind") or {}) if sweep.about["by_kind"] else [None]
    return [
        row
        | {"at": run.at | ({"kind": kind} if kind else {})}
        | {"figures": {key: look_up(result, key, kind) for key in sweep.about["figures"]}}
        for kind in kinds
    ]


def look_up(result: dict[str, Any], key: str, kind: str | None) -> float | None:
    """The figure "pixel.f1" of a result.json, for all images or for one kind of defect."""
    section, *path = key.split(".")
    if kind is not None:
        value: Any = result["figures"]["by_kind"][kind]
        path = ["pro"] if key == "pixel.pro" else [key.replace(".", "_")]
    else:
        value = result.get("timings") if section == "timings" else (result.get("figures") or {}).get(section)
    for name in path:
        value = (value or {}).get(name)
    return value


def _cells(about: dict[str, Any], rows: Sequence[dict]) -> list[dict[str, Any]]:
    """Rows of the same setting together: mean and standard deviation (n - 1) over the finished seeds."""
    together: dict[str, list[dict]] = {}
    for row in rows:
        together.setdefault(json.dumps(row["at"], sort_keys=True), []).append(row)
    cells = []
    for same in together.values():
        finished = [row for row in same if row["status"] == "finished"]
        cell = {
            "at": same[0]["at"], "finished": len(finished), "failed": sum(r["status"] == "failed" for r in same),
            "mean": {}, "std": {}, "paper": {},
        }  # fmt: skip
        for key in about["figures"]:
            values = [row["figures"][key] for row in finished if row["figures"].get(key) is not None]
            cell["mean"][key] = statistics.fmean(values) if values else None
            cell["std"][key] = statistics.stdev(values) if len(values) > 1 else None
        for published in about["paper"]:
            if _differing(published["at"], cell["at"] | about["fixed"]) is None:
                cell["paper"] |= published["figures"]
        cells.append(cell)
    return cells


def _multiples(about: dict[str, Any], cells: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Adds the first figure as a multiple of that of one setting, ours and the paper's; returns how it is called."""
    wanted, key = about.get("multiple_of"), about["figures"][0]
    if not wanted:
        return []
    multiple, units = f"{key}.multiple", {}
    for cell in cells:
        if _differing(wanted, cell["at"]) is None:
            units[_others(cell, wanted)] = cell
    for cell in cells:
        unit = units.get(_others(cell, wanted), {"mean": {}, "paper": {}})
        for what in ("mean", "paper"):
            ours, unit_value = cell[what].get(key), unit[what].get(key)
            cell[what] |= {multiple: ours / unit_value if ours is not None and unit_value else None}
        cell["std"][multiple] = None
    return [figure_of(key) | {"key": multiple, "title": f"Multiple of {', '.join(wanted.values())}", "unit": ""}]


def _others(cell: dict[str, Any], axes: dict[str, str]) -> str:
    return json.dumps({axis: label for axis, label in cell["at"].items() if axis not in axes}, sort_keys=True)


def _trainings(sweep: Plan) -> list[dict[str, Any]]:
    """What was logged while each setting trained with its first seed: {"at", "seed", "logged": {"step": [...], ...}}.

    Settings that share a training (they differ in scoring only) share one entry, that of the first.
    """
    seen, trainings = set(), []
    for run in sweep.runs:
        key = json.dumps(run.at, sort_keys=True)
        if key in seen or run.status != "finished":
            continue
        seen.add(key)
        history = run.folder / "history.jsonl"
        if (run.folder / "trained_by.json").is_file() or not history.is_file():  # Some learn nothing by steps.
            continue
        logged = read_columns(history, points=TRAINING_POINTS)[0]
        logged.pop("seconds", None)
        trainings.append({"at": run.at, "seed": run.seed, "logged": logged})
    return trainings


def _differing(wanted: dict[str, str], at: dict[str, str]) -> str | None:
    """The first axis on which a published value and a setting differ."""
    return next((axis for axis, label in wanted.items() if at.get(axis) != label), None)


def _unfilled(about: dict[str, Any], cells: Sequence[dict]) -> list[dict[str, Any]]:
    """Published values that no finished run stands beside, and why."""
    missing = []
    for published in about["paper"]:
        at = published["at"]
        same = [cell for cell in cells if _differing(at, cell["at"] | about["fixed"]) is None]
        for key, value in published["figures"].items():
            if any(cell["mean"].get(key) is not None for cell in same):
                continue
            missing.append({"at": at, "figure": key, "value": value, "why": _why(about, at, cells, bool(same))})
    return missing


def _why(about: dict[str, Any], at: dict[str, str], cells: Sequence[dict], planned: bool) -> str:
    if planned:
        return "its runs are not finished, or failed, or have no such figure"
    settings = [cell["at"] | about["fixed"] for cell in cells]
    axis = next((a for a, label in at.items() if all(setting.get(a) != label for setting in settings)), None)
    if axis == "images":
        return f"no dataset was given for the {at[axis]} images"
    if axis == "kind":
        kinds = sorted({setting["kind"] for setting in settings if "kind" in setting})
        return f"these images have no defects of this kind; they have {', '.join(kinds) or 'none yet'}"
    return about["why"] or f"no run of this sweep has {axis} = {at.get(axis)}"


def _datasets(about: dict, runs: Sequence[Planned], finished: dict[str, dict | None]) -> list[dict[str, Any]]:
    datasets = {}
    for run in runs:
        if finished[run.name]:
            label = run.at.get("images") or about["fixed"].get("images", "")
            dataset = finished[run.name]["dataset"]
            datasets.setdefault(label, {"images": label, **{k: dataset[k] for k in ("name", "root", "counts")}})
    return list(datasets.values())


def _notes(about: dict, finished: dict[str, dict | None]) -> list[str]:
    notes = list(about["notes"])
    if len(about["seeds"]) < 3:
        notes.append("Fewer than three seeds: a difference here may be chance.")
    warned: dict[str, list[str]] = {}
    for name, result in finished.items():
        for text in (result or {}).get("warnings") or []:
            warned.setdefault(text, []).append(name)
    return notes + [
        f"{names[0] if len(names) == 1 else f'{len(names)} runs'}: {text}" for text, names in warned.items()
    ]


def figure_of(key: str) -> dict[str, str]:
    *section, last = key.split(".")
    title = NAMES.get(last, last.replace("_", " "))
    parts = [part for part in section[1:] if part != "report"]  # Such as oracle, gamma0, or one of two classes.
    words = [section[0], title, *([f"({', '.join(parts)})"] if parts else [])]
    text = " ".join(words) if section[0] != "timings" else title
    return {
        "key": key, "title": text[0].upper() + text[1:], "better": "low" if any(p in key for p in LOW) else "high",
        "unit": "ms" if last.endswith("ms_per_image") else "", "whole": last in ("misses", "false_alarms"),
    }  # fmt: skip
