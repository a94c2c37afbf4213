"""What a run folder says, read for its page; a run that was killed or made by hand may lack all but result.json."""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from launch.command import configuration
from launch.run.history import read_history

REQUIRED = ("detector", "dataset", "figures", "thresholds")
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
    routed: str = ""  # The surface it was taken for, or "alarm", in a run that tells surfaces apart.

    @property
    def outcome(self) -> str:
        """miss, false alarm, detected, passed or unlabelled."""
        names = {(1, 0): "miss", (0, 1): "false alarm", (1, 1): "detected", (0, 0): "passed"}
        return names.get((self.label, self.predicted), "unlabelled")


def read_result(run: Path, *, required: Sequence[str] = REQUIRED) -> dict[str, Any]:
    """result.json of a finished run, or of a system (with other required fields).

    Raises FileNotFoundError where there is none and ValueError where it is not readable or lacks a needed field.
    """
    path = run / "result.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: give the folder of what is finished, or evaluate it first")
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); evaluate again to rewrite it") from None
    if not isinstance(result, dict):
        raise ValueError(f"{path} holds a {type(result).__name__} where an object is asked for; evaluate again")
    missing = [name for name in required if name not in result]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}, which every result has; evaluate again")
    return result


def read_predictions(path: Path) -> list[Prediction]:
    """predictions.csv, one Prediction per test image. Raises ValueError naming the row that cannot be read."""
    predictions = []
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                predictions.append(prediction(row))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}, row {number}: {error!r}; evaluate the run again to rewrite it") from None
    return predictions


def prediction(row: dict[str, str]) -> Prediction:
    numbers = {
        name: float(row[name]) if row[name] else None
        for name in ("label", "score", "threshold", "predicted", "precision", "recall", "f1")
    }
    if numbers["score"] is None or not math.isfinite(numbers["score"]):
        raise ValueError(f"score is {row['score']!r}, not a number")
    for name in ("label", "predicted"):
        numbers[name] = None if numbers[name] is None else int(numbers[name])
    return Prediction(
        id=row["id"], surface=row["surface"] or "", kind=row["kind"] or "", routed=row.get("routed") or "", **numbers
    )


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


def command(path: Path) -> str | None:
    """The command that trains the run of this config.json again.

    None where the config is missing, damaged, or of a detector that is no longer there.
    """
    try:
        return configuration.command(configuration.read(path))
    except (ValueError, OSError, AttributeError, KeyError, TypeError):
        return None
