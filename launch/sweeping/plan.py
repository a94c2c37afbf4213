"""sweep.json: what a sweep folder is for, so that any process can take a share of the work.

FOLDER/sweep.json            the plan: every run with its whole config
FOLDER/runs/NAME/            a run, as launch.train leaves one; result.json and report.html once it is finished,
                             failed.json, with the traceback, if it failed
FOLDER/sweep.csv, sweep.html what came of it
"""

import json
import traceback
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from jaxdefect.training.checkpoint import seal
from launch.command import configuration, files
from launch.command.console import warn
from launch.run.data import settle
from launch.run.folder import CONFIG, RESULT, check_same, read_result
from launch.sweeping.spec import Spec

SWEEP, FAILED = "sweep.json", "failed.json"


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
        if (self.folder / RESULT).is_file():
            return "finished"
        return "failed" if (self.folder / FAILED).is_file() else "unfinished"

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
        "runs": [{"name": r.name, "at": r.at, "seed": r.seed, "config": settle(r.config).to_dict()} for r in spec.runs],
    }  # fmt: skip
    present = _present(folder)
    if present:
        _check_same(json.loads(json.dumps(plan)), present, folder)
    elif not any((folder / name).exists() for name in (SWEEP, "runs")) and any(
        path.name != ".lock" for path in folder.glob("*")
    ):
        raise ValueError(f"{folder} is no sweep folder and not empty; give another --workdir, or an empty folder")
    for run in () if present else spec.runs:  # Lost or damaged: what was trained tells whether it was the same sweep.
        if (folder / "runs" / run.name / CONFIG).is_file():
            check_same(run.config, folder / "runs" / run.name)
    plan = files.as_json(plan)
    files.write_json(folder / SWEEP, plan | {"seal": seal(plan)})
    return read(folder)


def clear_damaged(sweep: Plan) -> None:
    """Forgets results and failures that cannot be read, so that their runs are evaluated, or tried, again."""
    for run in sweep.runs:
        try:
            read_result(run.folder)
        except FileNotFoundError:
            pass
        except ValueError as error:
            warn(f"{str(error).split('; run')[0]}; run {run.name} is evaluated again")
            (run.folder / RESULT).unlink()
        if (run.folder / FAILED).is_file() and read_failure(run) is None:
            (run.folder / FAILED).unlink()


def read_failure(run: Planned) -> dict[str, str] | None:
    """Why a run failed, {"error", "traceback"}; None where that cannot be read."""
    try:
        failure = json.loads((run.folder / FAILED).read_bytes())
        return {name: str(failure[name]) for name in ("error", "traceback")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


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
    files.write_json(run.folder / FAILED, failure)


def _present(folder: Path) -> dict[str, Any] | None:
    """The plan in a folder; None, which is told, where it cannot be read, and where there is none."""
    try:
        return _json(folder)
    except FileNotFoundError:
        return None
    except ValueError as error:
        warn(f"{str(error).split('; run')[0]}; it is written anew")
        return None


def _json(folder: Path) -> dict[str, Any]:
    path = folder / SWEEP
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no sweep: it has no {SWEEP}. Start one with launch.sweep")
    try:
        plan = json.loads(path.read_bytes())
        if "seal" in plan and plan.pop("seal") != seal(plan):  # Those of earlier versions have none.
            raise ValueError("it was changed after it was written")
        return plan
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "run the launch.sweep command that made it again, which writes it anew; finished runs stay"
        raise ValueError(f"{path} is damaged ({error}); {remedy}") from error


def _check_same(plan: dict[str, Any], theirs: dict[str, Any], folder: Path) -> None:
    ours = {run["name"]: run for run in plan["runs"]}
    for run in theirs["runs"]:
        if run["name"] not in ours:
            raise ValueError(f"{folder} holds another sweep: its run {run['name']} is none of {theirs['name']!r} as "
                             "it is asked for now; give another --workdir, or delete that folder")  # fmt: skip
        its, mine = (configuration.from_dict(planned["config"]) for planned in (run, ours[run["name"]]))
        if differing := configuration.differing(its, mine):
            raise ValueError(f"{folder} holds another sweep: its run {run['name']} has {'; '.join(differing)}; "
                             "give another --workdir, or delete that folder")  # fmt: skip
