"""The page of a run: figures, scores under a movable threshold, pictures worst first, curves and settings.

    python -m launch.report RUN [--out FILE]

RUN is a folder that launch.train or launch.evaluate has written; the page goes to RUN/report.html. It is one file
without a single request to anywhere: styles, scripts and pictures are inside, and its content security policy forbids
the rest. Of the run only result.json must be there; whatever else is missing is left out of the page and said on it.

Charts are drawn as SVG in report_charts.js and not with a charting library: their colours follow the reader's light or
dark mode and the printer, a slider under the histogram lies exactly on its axis, and a sweep of a hundred runs does
not carry a hundred copies of a library of 5 MB. A score is worse the higher it is; an image is called defective where
its score is greater than the threshold.
"""

import argparse
import base64
import csv
import hashlib
import json
import math
import os
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from launch.report_pictures import read_pictures

HERE = Path(__file__).parent
SCRIPTS = ("report_charts.js", "report_viewer.js", "report.js")
REQUIRED = ("detector", "dataset", "figures", "thresholds")
CURVE_POINTS = 2000  # of the loss curve: more than a screen has pixels


class Prediction(NamedTuple):
    """One row of predictions.csv; label is None where the picture is unlabelled, figures are None where undefined."""

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

    @property
    def outcome(self) -> str:
        if self.label is None or self.predicted is None:
            return "unlabelled"
        names = {(1, 0): "miss", (0, 1): "false alarm", (1, 1): "detected", (0, 0): "passed"}
        return names[self.label, self.predicted]


def read_result(run: Path) -> dict:
    """result.json of a finished run.

    Raises FileNotFoundError where there is none and ValueError where it is not readable or lacks a needed field.
    """
    path = run / "result.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: give the folder of a finished run, or evaluate the run first")
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); evaluate the run again to rewrite it") from None
    missing = [name for name in REQUIRED if not isinstance(result, dict) or name not in result]
    if missing:
        raise ValueError(
            f"{path} lacks {', '.join(missing)}; a result needs {', '.join(REQUIRED)}: evaluate the run again"
        )
    return result


def read_predictions(path: Path) -> list[Prediction]:
    """predictions.csv, one Prediction per test picture; raises ValueError naming the line that cannot be read."""

    def number(text: str) -> float | None:
        return float(text) if text else None

    predictions = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                score, threshold = float(row["score"]), number(row["threshold"])
                if not math.isfinite(score):
                    raise ValueError(f"score is {row['score']}")
                label, predicted = number(row["label"]), number(row["predicted"])
                if predicted is None and threshold is not None:
                    predicted = score > threshold
                whole = [None if value is None else int(value) for value in (label, predicted)]
                figures = [number(row[name]) for name in ("precision", "recall", "f1")]
                names = [row[name] or "" for name in ("id", "surface", "kind")]
            except (ValueError, KeyError, TypeError) as error:
                line = len(predictions) + 2
                raise ValueError(
                    f"{path}, row {line}: {error!r}; every row needs id, kind, label and a score"
                ) from None
            predictions.append(Prediction(*names, whole[0], score, threshold, whole[1], *figures))
    return predictions


def read_history(path: Path) -> tuple[dict[str, list], int]:
    """history.jsonl as {"step": [...], "loss": [...], ...} and the number of unreadable lines (a killed run leaves one).

    At most CURVE_POINTS evenly spaced steps are kept; a scalar missing at a step is None there.
    """
    rows, unreadable = [], 0
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
            float(row["step"])
            rows.append(row)
        except (ValueError, KeyError, TypeError):
            unreadable += bool(line.strip())
    rows = rows[:: math.ceil(len(rows) / CURVE_POINTS) or 1]
    names = dict.fromkeys(name for row in rows for name, value in row.items() if isinstance(value, (int, float)))
    return {name: [row.get(name) for row in rows] for name in names}, unreadable


def worst_first(predictions: list[Prediction]) -> list[int]:
    """The order of the page, as row numbers: misses by rising margin, false alarms by falling, the rest by score.

    The margin is score minus threshold: the miss that came furthest from being found leads.
    """

    def key(row: int) -> tuple:
        prediction = predictions[row]
        margin = prediction.score - (prediction.threshold or 0.0)
        places = {"miss": (0, margin), "false alarm": (1, -margin)}
        return places.get(prediction.outcome, (2, -prediction.score))

    return sorted(range(len(predictions)), key=key)


def flat(settings: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as [("optimizer.name", "adam"), ...]."""
    if isinstance(settings, dict) and settings:
        return [
            pair for name, value in settings.items() for pair in flat(value, f"{prefix}.{name}" if prefix else name)
        ]
    return [(prefix, settings if isinstance(settings, str) else json.dumps(settings))]


def with_unit(timings: dict) -> list[tuple[str, str]]:
    """{"train_s": 41.2, "score_ms_per_image": 3.1} as [("train", "41.2 s"), ("score", "3.1 ms per image")]."""
    pairs = []
    for name, value in timings.items():
        unit = next((end for end in ("_ms_per_image", "_s_per_image", "_per_s", "_ms", "_s") if name.endswith(end)), "")
        text = f"{value:.4g}" if isinstance(value, (int, float)) else str(value)
        pairs.append((name.removesuffix(unit).replace("_", " "), f"{text} {unit.replace('_', ' ').strip()}".strip()))
    return pairs


def figure(value: Any, digits: int = 3) -> str:
    """A figure in [0, 1] as "0.912"; an undefined one as a dash."""
    return f"{value:.{digits}f}" if isinstance(value, (int, float)) and math.isfinite(value) else "–"


def number(value: Any) -> str:
    """A score or threshold with four significant digits; an undefined one as a dash."""
    return f"{value:.4g}" if isinstance(value, (int, float)) and math.isfinite(value) else "–"


def as_json(value: Any) -> Markup:
    """JSON that may stand inside <script>: no "<" ends the element, and NaN and infinities, which JSON lacks, are null."""

    def finite(item: Any) -> Any:
        if isinstance(item, dict):
            return {name: finite(entry) for name, entry in item.items()}
        if isinstance(item, (list, tuple)):
            return [finite(entry) for entry in item]
        return None if isinstance(item, float) and not math.isfinite(item) else item

    text = json.dumps(finite(value), allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def page(run: Path) -> dict[str, Any]:
    """Everything the template shows, from the run folder."""
    result = read_result(run)
    notes = [str(warning) for warning in result.get("warnings") or []]
    predictions, history, config = [], {}, {}
    if (run / "predictions.csv").exists():
        predictions = read_predictions(run / "predictions.csv")
    else:
        notes.append("predictions.csv is missing: no scores are shown.")
    if (run / "history.jsonl").exists():
        history, unreadable = read_history(run / "history.jsonl")
        if unreadable:
            notes.append(f"history.jsonl: {unreadable} unreadable line(s) left out of the loss curve.")
    if (run / "config.json").exists():
        try:
            config = json.loads((run / "config.json").read_text(encoding="utf-8"))
        except ValueError:
            notes.append("config.json is not valid JSON: no settings are shown.")
    thresholds = {level: (result["thresholds"] or {}).get(level) or {} for level in ("image", "pixel")}
    pictures, scales, lost = read_pictures(run / "pictures", pixel_threshold=thresholds["pixel"].get("value"))
    rows = {prediction.id: row for row, prediction in enumerate(predictions)}
    rank = {row: place for place, row in enumerate(worst_first(predictions))}
    shown = [(rows.get(picture.id), picture) for picture in pictures]
    shown.sort(key=lambda pair: rank.get(pair[0], len(rank)))
    return {
        "result": result,
        "figures": {"image": {}, "pixel": {}, "by_kind": {}} | {k: v or {} for k, v in result["figures"].items()},
        "thresholds": thresholds,
        "notes": notes + lost,
        "predictions": predictions,
        "pictures": shown,
        "scales": scales,
        "history": history,
        "config": flat(config) if config else [],
        "data": run_data(result, predictions, history, scales, thresholds),
        "command": command(result),
    }


def run_data(result: dict, predictions: list[Prediction], history: dict, scales: dict, thresholds: dict) -> dict:
    """What the scripts of the page need."""
    return {
        "rows": [(row.id, row.kind, row.label, row.score, row.predicted, row.threshold) for row in predictions],
        "threshold": thresholds["image"].get("value"),
        "figures": {level: (result["figures"].get(level) or {}) for level in ("image", "pixel")},
        "curves": {level: ((result.get("curves") or {}).get(level) or {}) for level in ("image", "pixel")},
        "history": history,
        "scales": scales,
        "pixel_threshold": thresholds["pixel"].get("value"),
    }


def command(result: dict) -> str | None:
    """The command that made the run, where the result has kept it."""
    words = result.get("command")
    return shlex.join(words) if isinstance(words, list) else words


def render(content: dict[str, Any]) -> str:
    """The page as HTML; every name is escaped, and only the page's own script may run (by its SHA-256)."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"figure": figure, "number": number, "json": as_json, "flat": flat, "with_unit": with_unit}
    script = "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = (HERE / "report.css").read_text(encoding="utf-8")
    template = environment.get_template("report.html")
    return template.render(**content, style=Markup(style), script=Markup(script), digest=digest)


def write_report(run_dir: str | Path, *, out: str | Path | None = None) -> Path:
    """Writes the page of a run folder to `out` (default run_dir/report.html), whole or not at all; returns its path.

    Raises FileNotFoundError without result.json, ValueError where a file of the run is damaged.
    """
    run = Path(run_dir)
    out = Path(out) if out else run / "report.html"
    html = render(page(run))
    temporary = out.with_name(f"{out.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(html, encoding="utf-8", newline="\n")
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the page of a run: one HTML file that needs no network.")
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--out", type=Path, help="the page to write (default RUN/report.html)")
    arguments = parser.parse_args()
    try:
        print(write_report(arguments.run, out=arguments.out))
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
