"""Writes the page of a run: figures, scores under a movable threshold, pictures worst first, curves, settings.

    python -m launch.report RUN [--out FILE]

The page is one file, RUN/report.html, without a request to anywhere: styles, scripts and pictures are inside, and its
content security policy forbids the rest. Of the run only result.json must be there; whatever else is missing is left
out of the page and said on it.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from launch import files, start
from launch.logs import console
from launch.page.pictures import read_pictures
from launch.page.render import as_json, known, number, render
from launch.page.run import command, read_history, read_predictions, read_result, worst_first

STYLES = ("base.css", "report.css")
SCRIPTS = ("svg.js", "maps.js", "charts.js", "viewer.js", "report.js")


def write_report(run_dir: str | Path, *, out: str | Path | None = None) -> Path:
    """Writes the page of a run folder to `out` (default run_dir/report.html), whole or not at all. Returns its path.

    Raises FileNotFoundError without result.json, ValueError where a file of the run is damaged.
    """
    run = Path(run_dir)
    out = Path(out) if out else run / "report.html"
    filters = {"pairs": as_pairs, "with_unit": with_unit, "carried": carried}
    html = render("report.html", page(run), styles=STYLES, scripts=SCRIPTS, filters=filters)
    with files.replacing(out) as file:
        file.write(html)
    return out


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
        notes += [f"history.jsonl: unreadable lines left out of the loss curve: {unreadable}."] if unreadable else []
    if (run / "config.json").exists():
        try:
            config = json.loads((run / "config.json").read_text(encoding="utf-8"))
        except ValueError:
            notes.append("config.json is not valid JSON: no settings are shown.")
    thresholds = {level: (result["thresholds"] or {}).get(level) or {} for level in ("image", "pixel")}
    figures = {"image": {}, "pixel": {}, "by_kind": {}}
    figures |= {level: values or {} for level, values in (result["figures"] or {}).items()}
    pictures, scales, lost = read_pictures(run / "pictures", pixel_threshold=thresholds["pixel"].get("value"))
    rows = {prediction.id: row for row, prediction in enumerate(predictions)}
    rank = {row: place for place, row in enumerate(worst_first(predictions))}
    shown = sorted(
        ((rows.get(picture.id), picture) for picture in pictures), key=lambda pair: rank.get(pair[0], len(rank))
    )
    curves = {level: (result.get("curves") or {}).get(level) or {} for level in ("image", "pixel")}
    fitted, gammas = result.get("fitted") or {}, by_gamma(figures["image"])
    return {
        "result": result, "figures": figures, "thresholds": thresholds, "notes": notes + lost,
        "predictions": predictions, "pictures": shown, "scales": scales, "history": history,
        "config": config, "command": command(run / "config.json"), "fitted": fitted, "gammas": gammas,
        "data": as_json({
            "rows": [(row.id, row.kind, row.label, row.score, row.predicted, row.threshold) for row in predictions],
            "threshold": thresholds["image"].get("value"), "pixel_threshold": thresholds["pixel"].get("value"),
            "figures": {level: figures[level] for level in ("image", "pixel")},
            "curves": curves, "history": history, "scales": scales, "fitted": fitted.get("scores") or [],
            "levels": [(row["gamma"], row["threshold"]) for row in gammas if known(row.get("threshold"))],
        }),
    }  # fmt: skip


def as_pairs(settings: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as [("optimizer.name", "adam"), ...]; what is not set is a dash."""
    if isinstance(settings, dict) and settings:
        named = [(f"{prefix}.{name}" if prefix else name, value) for name, value in settings.items()]
        return [pair for name, value in named for pair in as_pairs(value, name)]
    if settings in (None, "", {}):
        return [(prefix, "–")] if prefix else []
    return [(prefix, settings if isinstance(settings, str) else json.dumps(settings))]


def by_gamma(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures at the mean + gamma standard deviations of normal scores (the keys gamma...), by rising gamma."""
    named = [row for name, row in figures.items() if name.startswith("gamma") and isinstance(row, dict)]
    return sorted((row for row in named if known(row.get("gamma"))), key=lambda row: row["gamma"])


def carried(state: dict[str, Any]) -> list[tuple[str, str]]:
    """{"memory": {"values": 65536, "bytes": 262144, "shapes": None}} as [("memory", "65.5 k values, 262 kB")].

    Where the shapes are known they stand in the place of the number of values.
    """
    pairs = []
    for part, size in state.items():
        values, space, shapes = ((size or {}).get(name) for name in ("values", "bytes", "shapes"))
        what = as_shapes(shapes) if shapes else f"{scaled(values).strip()} value{'' if values == 1 else 's'}"
        pairs.append((part, f"{what}, {scaled(space)}B"))
    return pairs


def as_shapes(shapes: list[list[int]]) -> str:
    """[[8, 8, 512], [8, 8, 512], []] as "2 arrays of 8 × 8 × 512, 1 number"."""
    counts = Counter(" × ".join(map(str, shape)) for shape in shapes)
    plural = lambda count, name: f"{count} {name}{'' if count == 1 else 's'}"
    of = lambda shape, count: f"{plural(count, 'array')} of {shape}" if shape else plural(count, "number")
    return ", ".join(of(shape, count) for shape, count in counts.items())


def scaled(value: Any) -> str:
    """Three significant digits and a prefix: 12583000 as "12.6 M"; a space ends it where there is none: "512 "."""
    if not known(value):
        return "– "
    rounded = float(f"{value:.3g}")  # First, as 999999 is 1 M and not 1000 k.
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rounded >= factor:
            return f"{rounded / factor:.3g} {prefix}"
    return f"{rounded:g} "


def with_unit(timings: dict) -> list[tuple[str, str]]:
    """{"train_s": 41.2, "steps_per_s": 9.5} as [("train", "41.2 s"), ("steps per s", "9.5")]."""
    pairs = []
    for name, value in timings.items():
        unit = next((end for end in ("_ms_per_image", "_s_per_image", "_ms", "_s") if name.endswith(end)), "")
        unit = "" if name.endswith("_per_s") else unit
        pairs.append((name.removesuffix(unit).replace("_", " "), f"{number(value)}{unit.replace('_', ' ')}"))
    return pairs


def main(argv: list[str] | None = None) -> Path:
    """Returns the report page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("--out", type=Path, help="the page to write (default: RUN/report.html)")
    arguments = parser.parse_args(argv)
    written = write_report(arguments.run, out=arguments.out)
    console.print(f"Report: {written}", soft_wrap=True)
    return written


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
