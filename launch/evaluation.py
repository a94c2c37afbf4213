"""A calibrated detector on the test pictures: thresholds, figures, predictions.csv, pictures for the report."""

import csv
import io
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from data_pipeline.record import Sample
from jaxdefect import metrics, population, postprocess
from launch import detection, experiment, files, logs, thresholds
from launch.detection import Detected, detect_picture
from launch.experiment import Data, Run

COLUMNS = (
    "id", "surface", "kind", "label", "score", "threshold", "predicted", "defect_pixels", "predicted_pixels",
    "precision", "recall", "f1",
)  # fmt: skip


COLLAPSED = 0.05  # of the spread of real pictures
FEW = 4  # arrays whose shapes are worth telling
NOT_OUTLINED = "no pixel figures: some defective pictures have no mask, or the detector gives no map"


class PackedMasks(Sequence):
    """Masks at one bit a pixel, so that those of 10^9 pixels fit in memory."""

    def __init__(self):
        self._packed: list[tuple[np.ndarray, int]] = []

    def append(self, mask: np.ndarray) -> None:
        self._packed.append((np.packbits(mask, axis=1), mask.shape[1]))

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, index: int) -> np.ndarray:
        packed, width = self._packed[index]
        return np.unpackbits(packed, axis=1, count=width)


def evaluate(run: Run, data: Data, workdir: Path, *, show: Sequence[str] | None = None) -> dict[str, Any]:
    """Scores the test pictures and writes result.json, predictions.csv and pictures/. Returns the result.

    show: ids of the pictures kept for a page; without, the worst ones.
    """
    fitted = thresholds.fit(run, data)
    pixel, image = fitted.pixel, fitted.image
    with tempfile.TemporaryDirectory(dir=workdir, prefix=".maps.") as folder:
        scored = score_split(run, data, Path(folder), level=pixel.value)
        labels = [record.label for record in scored.records]
        drawn = scored.outlined and scored.maps is not None
        found = metrics.evaluate(
            scored.scores, labels, [r.kind for r in scored.records], image.value,
            **({"maps": scored.maps, "masks": scored.masks, "predicted": scored.predicted} if drawn else {}),
        )  # fmt: skip
        found["figures"]["image"] |= thresholds.at_gammas(fitted, run.config.threshold.gammas, scored.scores, labels)
        rows = found["pictures"] or [{} for _ in scored.records]
        predictions = [
            {"id": r.id, "surface": r.surface, "kind": r.kind, "label": r.label, "score": s, "threshold": image.value,
             "predicted": int(s > image.value), **{name: row.get(name) for name in COLUMNS[7:]}}
            for r, s, row in zip(scored.records, scored.scores, rows, strict=True)
        ]  # fmt: skip
        if run.config.report.keep_maps:
            shutil.rmtree(workdir / "maps", ignore_errors=True)
            shutil.copytree(folder, workdir / "maps")
    write_predictions(workdir / "predictions.csv", predictions)
    chosen = [i for i, row in enumerate(predictions) if row["id"] in show] if show is not None else None
    if chosen is None:
        chosen = shown(predictions, run.config.report.pictures)
    write_pictures(run, data, workdir / "pictures", chosen, level=pixel.value)
    warnings = (pixel.warning, image.warning, collapse(workdir), None if drawn else NOT_OUTLINED)
    result = {
        "name": workdir.name, "detector": run.config.detector, "preset": run.config.preset, "seed": run.config.seed,
        "dataset": describe(run, data), "figures": found["figures"], "curves": found["curves"],
        "thresholds": {"pixel": pixel._asdict(), "image": image._asdict()},
        "fitted": fitted.as_json(), "state": carried(run.state),
        "timings": {
            **run.timings, "score_ms_per_image": scored.milliseconds, "pictures_per_s": 1e3 / scored.milliseconds,
            **({"score_mb": detection.memory(run, data.seen.test[0].image)} if run.config.report.memory else {}),
        },
        **experiment.environment(),
        "warnings": list(filter(None, warnings)),
    }  # fmt: skip
    experiment.write_json(workdir / "result.json", result)
    return result


def carried(state: population.Member) -> dict[str, dict]:
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
    """A warning where the generator ended up drawing much the same picture whatever it was given."""
    spread = [row["spread"] for row in logs.read_history(workdir / "history.jsonl") if row.get("spread") is not None]
    if not spread or spread[-1] > COLLAPSED:
        return None
    return (f"the generator has collapsed: what it draws varies {100 * spread[-1]:.1f} % as much as real pictures do, "
            "and its scores mean little; train with another seed, or a lower learning rate")  # fmt: skip


class Scored(NamedTuple):
    """The test pictures, scored. maps are None for a detector without, masks for pictures nobody has outlined."""

    records: Sequence
    scores: list[float]
    maps: list[np.ndarray] | None  # float32 [H, W], read from disk as needed
    predicted: PackedMasks
    masks: PackedMasks
    outlined: bool  # whether every defect is known pixel by pixel
    milliseconds: float


def score_split(run: Run, data: Data, folder: Path, *, level: float | None) -> Scored:
    """Scores every test picture; the maps go to `folder`."""
    test = data.seen.test
    tiles = experiment.tiles_of(run.config, experiment.sizes_of(test))
    scores, seconds, outlined = [], [], True
    predicted, masks = PackedMasks(), PackedMasks()
    with logs.progress_bar() as bar:
        task = bar.add_task("scoring ", total=len(test), note="")
        for index in range(len(test)):
            truth = data.originals[index].mask
            size = data.originals.records[index].height, data.originals.records[index].width
            begun = time.monotonic()
            found = detect_picture(
                run, test[index].image, size, tiles=tiles, level=level, min_area=run.config.threshold.min_area
            )
            seconds.append(time.monotonic() - begun)
            scores.append(found.score)
            if found.map is not None:
                outlined &= truth is not None
                masks.append(np.zeros(size, np.uint8) if truth is None else truth)
                predicted.append(found.mask)
                np.save(folder / f"{index:05d}.npy", found.map, allow_pickle=False)
            bar.advance(task)
    paths = sorted(folder.glob("*.npy"))
    maps = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths] if paths else None
    return Scored(test.records, scores, maps, predicted, masks, outlined, 1e3 * float(np.median(seconds)))


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
        },
        "kinds": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
    }  # fmt: skip


def write_predictions(path: Path, predictions: Sequence[dict]) -> None:
    """predictions.csv: one row per picture, empty where undefined."""
    with files.replacing(path) as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(predictions)


def shown(predictions: Sequence[dict], count: int) -> list[int]:
    """Which pictures a report shows: misses and false alarms, the worst first, then the most defective of the rest."""
    wrong = [i for i, p in enumerate(predictions) if p["label"] != p["predicted"]]
    worst = sorted(wrong, key=lambda i: -abs(predictions[i]["score"] - predictions[i]["threshold"]))
    right = sorted(set(range(len(predictions))) - set(wrong), key=lambda i: -predictions[i]["score"])
    kept = worst[: count * 2 // 3] if len(right) >= count - count * 2 // 3 else worst[:count]
    return (kept + right)[:count]


def write_pictures(run: Run, data: Data, folder: Path, chosen: Sequence[int], *, level: float | None) -> None:
    """pictures/NNN.npz of the chosen test pictures, at original resolution, and pictures/index.json."""
    tiles = experiment.tiles_of(run.config, experiment.sizes_of(data.seen.test))
    shutil.rmtree(folder, ignore_errors=True)
    index = []
    for number, which in enumerate(chosen):
        original, seen = data.originals[which], data.seen.test[which].image
        size = original.image.shape[:2]
        found = detect_picture(run, seen, size, tiles=tiles, level=level, min_area=run.config.threshold.min_area)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **picture_arrays(original, seen, found))
        with files.replacing(folder / f"{number:03d}.npz", "wb") as file:
            file.write(buffer.getvalue())
        index.append({"file": f"{number:03d}.npz", "id": original.id})
    experiment.write_json(folder / "index.json", index)


def picture_arrays(original: Sample, seen: np.ndarray, found: Detected) -> dict[str, np.ndarray]:
    """What the report shows of a picture; what the detector does not give is left out."""
    height, width = original.image.shape[:2]
    arrays = {"image": original.image}
    if found.map is not None:
        arrays |= {"map": found.map, "mask": found.mask.astype(np.uint8)}
    if found.reconstruction is not None:
        rebuilt = found.reconstruction
        residual = postprocess.squared(seen[None] / np.float32(255), rebuilt[None])[0]
        resize = lambda x: np.asarray(jax.image.resize(x, (height, width, *x.shape[2:]), "linear"))
        arrays["residual"] = resize(residual)
        arrays["reconstruction"] = np.round(np.clip(resize(rebuilt), 0, 1) * 255).astype(np.uint8)
    if original.mask is not None:
        arrays["truth"] = original.mask
    return arrays
