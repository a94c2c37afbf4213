"""A calibrated detector on the test images: thresholds, figures, predictions.csv, images for the report."""

import csv
import io
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from data_pipeline.record import Sample
from jaxdefect.maps import residuals
from jaxdefect.metrics import box_metrics, decisions
from jaxdefect.training import population
from launch.command import files
from launch.command.environment import environment
from launch.run import thresholds
from launch.run.data import Data, sizes_of
from launch.run.history import read_history
from launch.run.kinds_and_boxes import kind_confusion, true_boxes
from launch.run.prediction import Detected, detect_image, memory, tiles_of
from launch.run.predictions import score_test
from launch.run.surfaces import told_apart
from launch.run.trained import Run

COLUMNS = (
    "id", "surface", "kind", "label", "score", "threshold", "predicted", "defect_pixels", "predicted_pixels",
    "precision", "recall", "f1", "routed",
)  # fmt: skip
COLLAPSED = 0.05  # of the spread of real images
FEW = 4  # arrays whose shapes are worth telling
NOT_OUTLINED = "no pixel figures: some defective images have no mask, or the detector gives no map"


def evaluate(run: Run, data: Data, workdir: Path, *, show: Sequence[str] | None = None) -> dict[str, Any]:
    """Scores the test images and writes result.json, predictions.csv and images/. Returns the result.

    show: ids of the images kept for a page; without, the worst ones.
    """
    fitted = thresholds.fit(run, data)
    pixel, image = fitted.pixel, fitted.image
    with tempfile.TemporaryDirectory(dir=workdir, prefix=".maps.") as folder:
        scored = score_test(run, data, Path(folder), level=pixel.value)
        labels = [record.label for record in scored.records]
        drawn = scored.outlined and scored.maps is not None
        found = decisions.evaluate(
            scored.scores, labels, [r.kind for r in scored.records], image.value,
            **({"maps": scored.maps, "masks": scored.masks, "predicted": scored.predicted} if drawn else {}),
        )  # fmt: skip
        surfaces = told_apart(run, scored, image.value)
        if surfaces:
            found["figures"]["surfaces"] = surfaces.pop("figures")
        kinds = kind_confusion(run, scored)
        if kinds:
            found["figures"]["kinds"] = kinds.pop("figures")
        if scored.boxes is not None and scored.outlined:
            truths = true_boxes(run, data, scored.masks)
            found["figures"]["boxes"] = box_metrics.box_figures(scored.boxes, truths, threshold=image.value)
        found["figures"]["image"] |= thresholds.pauta_table(fitted, run.config.threshold.gammas, scored.scores, labels)
        rows = found["images"] or [{} for _ in scored.records]
        predictions = [
            {"id": r.id, "surface": r.surface, "kind": r.kind, "label": r.label, "score": s, "threshold": image.value,
             "predicted": int(s > image.value), **{name: row.get(name) for name in COLUMNS[7:-1]}}
            for r, s, row in zip(scored.records, scored.scores, rows, strict=True)
        ]  # fmt: skip
        for row, routed in zip(predictions, surfaces.pop("routed", ()), strict=False):
            row["routed"] = routed
        if run.config.report.keep_maps:
            shutil.rmtree(workdir / "maps", ignore_errors=True)
            shutil.copytree(folder, workdir / "maps")
    write_predictions(workdir / "predictions.csv", predictions)
    chosen = [i for i, row in enumerate(predictions) if row["id"] in show] if show is not None else None
    if chosen is None:
        chosen = shown(predictions, run.config.report.images)
    write_images(run, data, workdir / "images", chosen, level=pixel.value)
    without = None if drawn or scored.surfaces is not None else NOT_OUTLINED
    warnings = (pixel.warning, image.warning, collapse(workdir), without)
    result = {
        "name": workdir.name, "detector": run.config.detector, "preset": run.config.preset, "seed": run.config.seed,
        "dataset": describe(run, data), "figures": found["figures"], "curves": found["curves"],
        "thresholds": {"pixel": pixel._asdict(), "image": image._asdict()},
        "fitted": fitted.as_json(), "state": carried(run.state), **({"surfaces": surfaces} if surfaces else {}),
        **({"kinds": kinds} if kinds else {}),
        "timings": {
            **run.timings, "score_ms_per_image": scored.milliseconds, "images_per_s": 1e3 / scored.milliseconds,
            **({"score_mb": memory(run, data.seen.test[0].image)} if run.config.report.memory else {}),
        },
        **environment(),
        "warnings": list(filter(None, warnings)),
    }  # fmt: skip
    files.write_json(workdir / "result.json", result)
    return result


def carried(state: population.RunState) -> dict[str, dict]:
    """What a detector carries, by part of its state: values, bytes, and shapes where there are few."""
    parts = {}
    for name, part in state.state._asdict().items():
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(part)]
        if leaves:
            parts[name] = {
                "values": sum(leaf.size for leaf in leaves), "bytes": sum(leaf.nbytes for leaf in leaves),
                "shapes": [list(leaf.shape) for leaf in leaves] if len(leaves) <= FEW else None,
            }  # fmt: skip
    return parts


def collapse(workdir: Path) -> str | None:
    """A warning where the generator ended up drawing much the same image whatever it was given."""
    spread = [row["spread"] for row in read_history(workdir / "history.jsonl") if row.get("spread") is not None]
    if not spread or spread[-1] > COLLAPSED:
        return None
    return (f"the generator has collapsed: what it draws varies {100 * spread[-1]:.1f} % as much as real images do, "
            "and its scores mean little; train with another seed, or a lower learning rate")  # fmt: skip


def describe(run: Run, data: Data) -> dict[str, Any]:
    """result.json's account of the dataset."""
    labels = [record.label for record in data.seen.test.records]
    kinds = [record.kind for record in data.seen.test.records if record.label]
    return {
        "name": data.seen.name,
        "root": run.config.data.root,
        "fingerprint": data.seen.fingerprint,
        "counts": {
            "train": len(data.seen.train), "calibration": len(data.seen.calibration),
            "test_good": labels.count(0), "test_defective": labels.count(1),
            **({"train_defective": len(data.seen.defective)} if run.config.train.supervision == "masks" else {}),
        },
        "kinds": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
    }  # fmt: skip


def write_predictions(path: Path, predictions: Sequence[dict]) -> None:
    """predictions.csv: one row per image, empty where undefined."""
    with files.replacing(path) as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(predictions)


def shown(predictions: Sequence[dict], count: int) -> list[int]:
    """Which images a report shows: misses and false alarms, the worst first, then the most defective of the rest."""
    wrong = [i for i, p in enumerate(predictions) if p["label"] != p["predicted"]]
    worst = sorted(wrong, key=lambda i: -abs(predictions[i]["score"] - predictions[i]["threshold"]))
    right = sorted(set(range(len(predictions))) - set(wrong), key=lambda i: -predictions[i]["score"])
    kept = worst[: count * 2 // 3] if len(right) >= count - count * 2 // 3 else worst[:count]
    return (kept + right)[:count]


def write_images(run: Run, data: Data, folder: Path, chosen: Sequence[int], *, level: float | None) -> None:
    """images/NNN.npz of the chosen test images, at original resolution, and images/index.json."""
    tiles = tiles_of(run.config, sizes_of(data.seen.test))
    shutil.rmtree(folder, ignore_errors=True)
    index = []
    for number, which in enumerate(chosen):
        original, seen = data.originals[which], data.seen.test[which].image
        size = original.image.shape[:2]
        found = detect_image(run, seen, size, tiles=tiles, level=level, min_area=run.config.threshold.min_area)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **image_arrays(original, seen, found))
        with files.replacing(folder / f"{number:03d}.npz", "wb") as file:
            file.write(buffer.getvalue())
        index.append({"file": f"{number:03d}.npz", "id": original.id})
    files.write_json(folder / "index.json", index)


def image_arrays(original: Sample, seen: np.ndarray, found: Detected) -> dict[str, np.ndarray]:
    """What the report shows of an image; what the detector does not give is left out."""
    height, width = original.image.shape[:2]
    arrays = {"image": original.image}
    if found.boxes is not None:
        arrays["boxes"] = found.boxes
    if found.map is not None:
        arrays |= {"map": found.map, "mask": found.mask.astype(np.uint8)}
    if found.reconstruction is not None:
        rebuilt = found.reconstruction
        residual = residuals.squared(seen[None] / np.float32(255), rebuilt[None])[0]
        resize = lambda x: np.asarray(jax.image.resize(x, (height, width, *x.shape[2:]), "linear"))
        arrays["residual"] = resize(residual)
        arrays["reconstruction"] = np.round(np.clip(resize(rebuilt), 0, 1) * 255).astype(np.uint8)
    if original.mask is not None:
        arrays["truth"] = original.mask
    return arrays
