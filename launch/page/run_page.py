"""The page of a run: one sentence, figures, scores under a movable threshold, images worst first, curves, settings.

The page is one file, RUN/report.html, without a request to anywhere: styles, scripts and images are inside, and its
content security policy forbids the rest. Of the run only result.json must be there; whatever else is missing is left
out of the page and said on it.
"""

import math
import os
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from launch.command import files
from launch.page.images import ShownImage, outlined, read_images, read_picture
from launch.page.render import as_json, as_pairs, is_number, render
from launch.page.run_folder import (
    Prediction,
    changed_settings,
    read_columns,
    read_predictions,
    read_result,
    settings,
    sweep_of,
    worst_first,
)
from launch.page.surfaces import read_kinds, read_surfaces
from launch.page.terms import SURFACE_TERMS, TERMS
from launch.page.verdict import outcomes_of, verdict
from launch.run import folder

STYLES = ("base.css", "figures.css", "images.css", "surfaces.css", "scores.css", "report.css")
SCRIPTS = (
    "svg.js", "maps.js", "charts.js", "surfaces.js", "viewer.js", "cards.js", "threshold.js", "pixels.js", "report.js",
)  # fmt: skip
FIRST, GOOD = 6, 2  # images shown before the reader asks for more, and good ones among them
# What label 0 and 1 are called, and what is named after them.
DEFECTS = {
    "good": "good", "defective": "defective", "normal": "normal images", "fitted_on": "normal, fitted on",
    "trained": "defect-free images", "positives": "defective", "negatives": "good ones",
    "threshold": "Image threshold", "roc": "Image ROC", "pr": "Image precision and recall",
    "kind": "Kind", "all_kinds": "all kinds", "kinds": "Kinds of defect", "kinds_short": "Kinds",
}  # fmt: skip
# Of a run that tells surfaces apart, where label 1 is an image of a surface that was never learnt.
SURFACES = {
    "good": "seen", "defective": "unseen", "normal": "images of seen surfaces", "fitted_on": "seen, fitted on",
    "trained": "images of seen surfaces", "positives": "of unseen surfaces", "negatives": "of seen ones",
    "threshold": "Threshold τ", "roc": "ROC of unseen against seen", "pr": "Precision and recall",
    "kind": "Surface", "all_kinds": "all surfaces", "kinds": "Unseen surfaces", "kinds_short": "Unseen",
    "counts.test_good": "counts.test_seen", "counts.test_defective": "counts.test_unseen",
}  # fmt: skip
COLUMNS = (  # Those of pixels are left out where none were judged.
    ("images", "Images"), ("image_recall", "Image recall"), ("image_auroc", "Image AUROC"),
    ("pixel_auroc", "Pixel AUROC"), ("pixel_ap", "Pixel AP"), ("pixel_precision", "Pixel precision"),
    ("pixel_recall", "Pixel recall"), ("pixel_f1", "Pixel F1"), ("pro", "PRO"),
)  # fmt: skip
SURFACE_COLUMNS = (("images", "Images"), ("image_recall", "Alarmed"), ("image_auroc", "AUROC against seen"))


def write_report(run_dir: str | Path, *, out: str | Path | None = None) -> Path:
    """Writes the page of a run folder to `out` (default run_dir/report.html), whole or not at all. Returns its path.

    Raises FileNotFoundError without result.json, ValueError where a file of the run is damaged.
    """
    run = Path(run_dir)
    out = Path(out) if out else run / "report.html"
    html = render(
        "report.html",
        page(run) | {"sweep": link_to_sweep(run, out)},
        styles=STYLES,
        scripts=SCRIPTS,
        filters={"carried": carried},
    )
    with files.replacing(out) as file:
        file.write(html)
    return out


def link_to_sweep(run: Path, out: Path) -> tuple[str, str] | None:
    """(title, address from the page at `out`) of the sweep that a run is part of."""
    sweep = sweep_of(run)
    return sweep and (sweep[0], quote(os.path.relpath(sweep[1], out.resolve().parent)))


def page(run: Path) -> dict[str, Any]:
    """Everything the template shows, from the run folder."""
    result = read_result(run)
    changed, missing = unlike_written(run, result)
    notes = [str(warning) for warning in result.get("warnings") or []] + missing
    predictions, history = [], {}
    if (run / "predictions.csv").exists():
        predictions = read_predictions(run / "predictions.csv")
    if (run / "history.jsonl").exists():
        history, unreadable = read_columns(run / "history.jsonl")
        notes += [f"history.jsonl: unreadable lines left out of the loss curve: {unreadable}."] if unreadable else []
    elif (result.get("timings") or {}).get("steps") != 0:  # Some detectors learn nothing by steps.
        notes.append("history.jsonl is missing: no loss curve is shown.")
    config, command, unset = settings(run)
    thresholds = {level: (result["thresholds"] or {}).get(level) or {} for level in ("image", "pixel")}
    figures = {"image": {}, "pixel": {}, "by_kind": {}, "surfaces": {}, "kinds": {}, "boxes": {}}
    figures |= {level: values or {} for level, values in (result["figures"] or {}).items()}
    surfaces, damaged = surface_words(result, figures)
    pixels = any(map(is_number, figures["pixel"].values()))
    columns = [column for column in surfaces["columns"] if pixels or not column[0].startswith(("pixel", "pro"))]
    predictions = [seen_and_unseen(row) for row in predictions] if surfaces["apart"] else predictions
    images, scales, lost = read_images(
        run / "images", pixel_threshold=thresholds["pixel"].get("value"), changed=changed
    )
    curves = {level: (result.get("curves") or {}).get(level) or {} for level in ("image", "pixel")}
    sheet, damaged_sheet = read_picture(run / "flaws.png")
    fitted, gammas = result.get("fitted") or {}, by_gamma(figures["image"])
    return {
        "result": result, "figures": figures, "thresholds": thresholds,
        "notes": notes + unset + damaged + lost + damaged_sheet,
        "predictions": predictions, "images": arranged(images, predictions), "scales": scales, "history": history,
        "verdict": verdict(predictions, surfaces=surfaces["apart"]), "outcomes": outcomes_of(predictions),
        "terms": SURFACE_TERMS if surfaces["apart"] else TERMS,
        "changed": dict(as_pairs(changed_settings(run))),
        "config": config, "command": command, "fitted": fitted, "gammas": gammas,
        **surfaces, "columns": columns, "pixels": pixels, "outlines": outlined(images),
        "kinds_matrix": read_kinds(result), "sheet": sheet,
        "decisions": decided(figures["image"].get("report") or {}, surfaces["words"]),
        "kinds": [(kind, row or {}, None) for kind, row in figures["by_kind"].items()],
        "data": as_json({
            "rows": [
                (row.id, row.kind, row.label, told(row.score), row.predicted, row.threshold) for row in predictions
            ],
            "threshold": thresholds["image"].get("value"), "pixel_threshold": thresholds["pixel"].get("value"),
            "figures": {level: figures[level] for level in ("image", "pixel")},
            "curves": curves, "history": history, "scales": scales, "fitted": fitted.get("scores") or [],
            "fitted_on": surfaces["words"]["fitted_on"],
            "attributes": surfaces["attributes"]["data"] if surfaces["attributes"] else None,
            "levels": [(row["gamma"], row["threshold"]) for row in gammas if is_number(row.get("threshold"))],
        }),
    }  # fmt: skip


def told(score: float) -> float | str:
    """A score as JSON can tell it: one that is not finite as the text that JavaScript's Number reads."""
    return score if math.isfinite(score) else "Infinity" if score > 0 else "-Infinity"


def unlike_written(run: Path, result: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Files that are not as the evaluation left them, and notes on them.

    Raises ValueError where a page of them would show two evaluations as one; a single image is only left out of it.
    """
    changed, remedy = folder.changed(run, result), folder.evaluation_command(run)
    there = [name for name in changed if (run / name).exists() and not name.endswith((".npz", ".npy"))]
    if there:
        raise ValueError(f"{run / there[0]} is damaged, or of another evaluation than {folder.RESULT}; run {remedy}, "
                         "which writes both anew")  # fmt: skip
    gone = dict.fromkeys(name for name in [folder.PREDICTIONS, *changed] if not (run / name).exists())
    shown = {folder.PREDICTIONS: "scores", f"{folder.IMAGES}/index.json": "images"}
    notes = [f"{name} is missing: no {what} are shown; {remedy} writes it anew." for name, what in shown.items()
             if name in gone]  # fmt: skip
    maps = [name for name in changed if name.startswith(f"{folder.MAPS}/")]
    notes += [f"{maps[0]} is missing, damaged or of another evaluation; {remedy} writes all maps anew."] if maps else []
    return changed, notes


def arranged(images: list[ShownImage], predictions: list[Prediction]) -> list[tuple[int | None, ShownImage]]:
    """(row of its prediction, image), the worst first and those without a prediction last.

    Among the first FIRST stand GOOD good images where there are so many: those nearest to the threshold.
    """
    rows = {prediction.id: row for row, prediction in enumerate(predictions)}
    rank = {row: place for place, row in enumerate(worst_first(predictions))}
    ordered = sorted(((rows.get(image.id), image) for image in images), key=lambda pair: rank.get(pair[0], len(rank)))
    good = [pair for pair in ordered if pair[0] is not None and predictions[pair[0]].label == 0]
    lacking = max(0, GOOD - sum(pair in good for pair in ordered[:FIRST]))
    margin = lambda pair: abs(predictions[pair[0]].score - (predictions[pair[0]].threshold or 0.0))
    moved = sorted((pair for pair in ordered[FIRST:] if pair in good), key=margin)[:lacking]
    rest = [pair for pair in ordered if pair not in moved]
    return rest[: FIRST - len(moved)] + moved + rest[FIRST - len(moved) :]


def surface_words(result: dict[str, Any], figures: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """How surfaces were told apart, and the words of the page, which depend on whether they were; and notes."""
    apart, named = bool(result.get("surfaces")), is_number(figures["surfaces"].get("zero_shot"))
    routing, attributes, notes = read_surfaces(result, named=named)
    words = SURFACES if apart else DEFECTS
    return {
        "apart": apart, "of_surfaces": figures["surfaces"], "named": named, "words": words,
        "unseen": result["surfaces"].get("unseen") if apart else None, "routing": routing, "attributes": attributes,
        "dataset": [(words.get(name, name), value) for name, value in as_pairs(result["dataset"])],
        "columns": SURFACE_COLUMNS if apart else COLUMNS,
    }, notes  # fmt: skip


def decided(report: dict[str, dict], words: dict[str, str]) -> list[tuple[str, dict, None]]:
    """The rows of the table of decisions: good, defective, and their averages."""
    titles = {"good": words["good"].capitalize(), "defective": words["defective"].capitalize(),
              "macro": "Average", "weighted": "Average, weighted by images"}  # fmt: skip
    return [(title, report[name], None) for name, title in titles.items() if isinstance(report.get(name), dict)]


def seen_and_unseen(row: Prediction) -> Prediction:
    """With the surface as its kind where that is an unseen one: the scores of seen surfaces are drawn as one."""
    return row._replace(kind="unlabelled" if row.label is None else row.surface if row.label else "seen surfaces")


def by_gamma(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures at the mean + gamma standard deviations of normal scores (the keys gamma...), by rising gamma."""
    named = [row for name, row in figures.items() if name.startswith("gamma") and isinstance(row, dict)]
    return sorted((row for row in named if is_number(row.get("gamma"))), key=lambda row: row["gamma"])


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
    if not is_number(value):
        return "– "
    rounded = float(f"{value:.3g}")  # First, as 999999 is 1 M and not 1000 k.
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rounded >= factor:
            return f"{rounded / factor:.3g} {prefix}"
    return f"{rounded:g} "
