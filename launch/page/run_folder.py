"""What a run folder says, read for its page; a run that was killed or made by hand may lack all but result.json."""

import csv
import hashlib
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from launch.command import configuration
from launch.run import folder
from launch.run.history import read_history

REQUIRED = ("detector", "dataset", "figures", "thresholds")
UNREADABLE = (ValueError, OSError, AttributeError, KeyError, TypeError)  # of configs by hand, or of another version
CURVE_POINTS = 2000  # of the loss curve: more than a screen has pixels


class Prediction(NamedTuple):
    """One row of predictions.csv; label is None where the image is unlabelled, figures are None where undefined."""

    id: str
    surface: str
    kind: str
    label: int | None
    score: float
    threshold: float | None
    predicted: int | None
    precision: float | None
    recall: float | None
    f1: float | None
    defect_pixels: float | None = None  # outlined by hand
    predicted_pixels: float | None = None
    routed: str = ""  # The surface it was taken for, or "alarm", in a run that tells surfaces apart.

    @property
    def outcome(self) -> str:
        """miss, false alarm, detected, passed or unlabelled."""
        names = {(1, 0): "miss", (0, 1): "false alarm", (1, 1): "detected", (0, 0): "passed"}
        return names.get((self.label, self.predicted), "unlabelled")


def read_result(run: Path) -> dict[str, Any]:
    """result.json of a finished run.

    Raises FileNotFoundError where there is none and ValueError where it is damaged or lacks a needed field.
    """
    result = folder.read_result(run)
    missing = [name for name in REQUIRED if name not in result]
    if missing:
        raise ValueError(f"{run / folder.RESULT} lacks {', '.join(missing)}, which every result has; run "
                         f"{folder.evaluation_command(run)}, which writes it anew")  # fmt: skip
    return result


def read_predictions(path: Path) -> list[Prediction]:
    """predictions.csv, one Prediction per test image. Raises ValueError naming the row that cannot be read."""
    predictions = []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                predictions.append(prediction(row))
            except (ValueError, KeyError, TypeError) as error:
                remedy = f"run {folder.evaluation_command(path.parent)}, which writes it anew"
                raise ValueError(f"{path}, row {number}: {error!r}; {remedy}") from None
    return predictions


def prediction(row: dict[str, str]) -> Prediction:
    columns = ("label", "score", "image_threshold", "predicted", "precision", "recall", "f1")
    numbers = {name.removeprefix("image_"): float(row[name]) if row[name] else None for name in columns}
    counts = {name: float(row[name]) if row.get(name) else None for name in ("defect_pixels", "predicted_pixels")}
    if numbers["score"] is None or math.isnan(numbers["score"]):
        raise ValueError(f"score is {row['score']!r}, not a number")
    for name in ("label", "predicted"):
        numbers[name] = None if numbers[name] is None else int(numbers[name])
    return Prediction(
        id=row["id"], surface=row["surface"] or "", kind=row["kind"] or "", routed=row.get("routed") or "",
        **numbers, **counts,
    )  # fmt: skip


def read_columns(path: Path, *, points: int = CURVE_POINTS) -> tuple[dict[str, list], int]:
    """history.jsonl as {"step": [...], "loss": [...], ...} and a count of broken lines.

    At most `points` evenly spaced steps are kept; a scalar missing at a step is None there.
    """
    rows, unreadable = read_history(path)
    rows = rows[:: math.ceil(len(rows) / points) or 1]
    names = dict.fromkeys(name for row in rows for name, value in row.items() if isinstance(value, (int, float)))
    return {name: [row.get(name) for row in rows] for name in names}, unreadable


def worst_first(predictions: list[Prediction]) -> list[int]:
    """The order of the page, as row numbers: misses by rising margin, false alarms by falling, the rest by score.

    The margin is score minus threshold: the miss that came furthest from being found leads.
    """

    def key(row: int) -> tuple[int, float]:
        prediction = predictions[row]
        margin = prediction.score - (prediction.threshold or 0.0)
        places = {"miss": (0, margin), "false alarm": (1, -margin)}
        return places.get(prediction.outcome, (2, -prediction.score))

    return sorted(range(len(predictions)), key=key)


def changed_settings(run: Path) -> dict[str, Any]:
    """The settings of a run that its preset does not have, with the preset's values; {} where they can't be read, or
    the detector is no longer there.
    """
    try:
        config = folder.read_config(run)
        preset = dict(configuration.flat(configuration.get(config.detector, config.preset)))
        given = dict(configuration.flat(config))
    except UNREADABLE:
        return {}
    return {name: preset.get(name) for name, value in given.items() if value != preset.get(name)}


def test_of(run: Path, result: dict[str, Any]) -> dict[str, Any]:
    """What a run was tested on: {"good", "defective"}, numbers of images; "pixels", the share of defective ones, or
    None; "images", which tells tests of different images apart.
    """
    dataset, pixel = result.get("dataset") or {}, (result.get("figures") or {}).get("pixel") or {}
    counts = dataset.get("counts") or {}
    try:
        with (run / "predictions.csv").open(newline="", encoding="utf-8") as file:
            ids = sorted(row["id"] for row in csv.DictReader(file))
    except (OSError, KeyError, ValueError):
        ids = []
    good, defective = (counts.get(name) or 0 for name in ("test_good", "test_defective"))
    named = json.dumps([dataset.get("name"), dataset.get("root"), good, defective, ids], default=str)
    return {
        "good": good, "defective": defective,
        "pixels": pixel.get("defective_share"), "images": hashlib.sha256(named.encode()).hexdigest(),
    }  # fmt: skip


def sweep_of(run: Path) -> tuple[str, Path] | None:
    """(title, page) of the sweep that this run is part of, by where it lies: SWEEP/runs/NAME."""
    folder = run.resolve().parent.parent
    if run.resolve().parent.name != "runs" or not (folder / "sweep.json").is_file():
        return None
    try:
        title = str(json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["title"])
    except (ValueError, KeyError, TypeError, OSError):
        title = folder.name
    return title, folder / "sweep.html"


def settings(run: Path) -> tuple[dict[str, Any], str | None, list[str]]:
    """The config of a run, the command that trains it again, and notes.

    No command where the config is missing, damaged, or of a detector that is no longer there.
    """
    try:
        config = folder.read_config(run)
    except (OSError, ValueError) as error:
        return {}, None, [f"No settings are shown: {error}."]
    try:
        return config.to_dict(), configuration.command(config), []
    except (ValueError, AttributeError, KeyError, TypeError):
        return config.to_dict(), None, []
