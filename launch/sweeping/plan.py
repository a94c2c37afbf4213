"""sweep.json: what a sweep folder is for, so that any process can take a share of the work.

FOLDER/sweep.json            the plan: every run with its whole config
FOLDER/runs/NAME/            a run, as launch.train leaves one; result.json once it is finished,
                             failed.json, with the traceback, if it failed
FOLDER/sweep.csv, sweep.html what came of it
"""

import json
import traceback
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from launch.command import configuration, files
from launch.sweeping.spec import Spec


class Planned(NamedTuple):
    """One run of a plan. at: {axis: label}."""

    name: str
    at: dict[str, str]
    seed: int
    config: ConfigDict
    folder: Path

    @property
    def status(self) -> str:
        """finished, failed or unfinished."""
        if (self.folder / "result.json").is_file():
            return "finished"
        return "failed" if (self.folder / "failed.json").is_file() else "unfinished"

    @property
    def tries(self) -> int:
        """How often a worker took the run."""
        path = self.folder / "tries"
        return path.stat().st_size if path.is_file() else 0

    def count_try(self) -> None:
        """One more."""
        with (self.folder / "tries").open("a") as file:
            file.write(".")


class Plan(NamedTuple):
    """A sweep folder. about: sweep.json but for the runs."""

    folder: Path
    about: dict[str, Any]
    runs: tuple[Planned, ...]

    def left(self) -> list[Planned]:
        """The runs that are neither finished nor failed."""
        return [run for run in self.runs if run.status == "unfinished"]


def write(spec: Spec, folder: Path, *, command: str, side_by_side: int = 0) -> Plan:
    """Makes the folder of a sweep, or goes on in it: a sweep may only have got more runs since.

    side_by_side: how many runs train together; 0 for as many as fit. Raises ValueError, naming what differs, if the
    folder holds another sweep.
    """
    plan = {
        "name": spec.name, "size": spec.size, "title": spec.title, "about": spec.about, "source": spec.source,
        "command": command, "axes": [axis._asdict() | {"points": list(axis.points)} for axis in spec.axes],
        "fixed": spec.fixed, "seeds": spec.seeds, "figures": spec.figures, "by_kind": spec.by_kind,
        "multiple_of": spec.multiple_of,
        "groups": spec.groups,
        "paper": spec.paper, "why": spec.why, "notes": spec.notes, "side_by_side": side_by_side,
        "runs": [{"name": r.name, "at": r.at, "seed": r.seed, "config": r.config.to_dict()} for r in spec.runs],
    }  # fmt: skip
    if (folder / "sweep.json").is_file():
        _check_same(json.loads(json.dumps(plan)), folder)
    elif folder.is_dir() and any(path.name != ".lock" for path in folder.iterdir()):
        raise ValueError(f"{folder} is no sweep folder and not empty; give another --workdir, or an empty folder")
    files.write_json(folder / "sweep.json", plan)
    return read(folder)


def read(folder: Path) -> Plan:
    """The plan of a folder. Raises FileNotFoundError or ValueError with the remedy."""
    plan = _json(folder)
    runs = tuple(
        Planned(
            run["name"], run["at"], run["seed"], configuration.from_dict(run["config"]), folder / "runs" / run["name"]
        )
        for run in plan.pop("runs")
    )
    return Plan(folder, plan, runs)


def note_failure(run: Planned, error: BaseException) -> None:
    """Keeps the run's error, so that the sweep goes on without it."""
    text = "".join(traceback.format_exception(error))
    failure = {"error": f"{type(error).__name__}: {error}", "traceback": text}
    files.write_json(run.folder / "failed.json", failure)


def _json(folder: Path) -> dict[str, Any]:
    path = folder / "sweep.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no sweep: it has no sweep.json. Start one with launch.sweep")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is not readable JSON ({error}); delete it and run the same command again; finished runs stay"
        ) from error


def _check_same(plan: dict[str, Any], folder: Path) -> None:
    theirs, ours = _json(folder), {run["name"]: run for run in plan["runs"]}
    for run in theirs["runs"]:
        if run["name"] not in ours:
            raise ValueError(f"{folder} holds another sweep: its run {run['name']} is none of {theirs['name']!r} as "
                             "it is asked for now; give another --workdir, or delete that folder")  # fmt: skip
        mine, its = (dict(configuration.flat(run_there["config"])) for run_there in (ours[run["name"]], run))
        differing = [
            f"{f} = {its.get(f)!r} there, {mine.get(f)!r} here" for f in mine | its if mine.get(f) != its.get(f)
        ]
        if differing:
            raise ValueError(f"{folder} holds another sweep: its run {run['name']} has {'; '.join(differing)}; "
                             "give another --workdir, or delete that folder")  # fmt: skip
