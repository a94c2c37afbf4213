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
from jaxdefect import metrics, postprocess, scoring, threshold
from launch import experiment, files, logs
from launch.experiment import Data, Run

COLUMNS = (
    "id", "surface", "kind", "label", "score", "threshold", "predicted", "defect_pixels", "predicted_pixels",
    "precision", "recall", "f1",
)  # fmt: skip


NOT_OUTLINED = "no pixel figures: some defective pictures have no mask, or the detector gives no map"


class Detected(NamedTuple):
    """One picture, scored, at original resolution."""

    score: float
    map: np.ndarray | None  # float32 [H, W]
    mask: np.ndarray | None  # bool [H, W]
    reconstruction: np.ndarray | None  # float32 [h, w, C], at the size the detector saw


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


def detect_picture(run: Run, image: np.ndarray, size: tuple[int, int], *, tiles, level, min_area: int) -> Detected:
    """Scores one uint8 picture [h, w, C] and brings its map to `size`, that of the original."""
    height, width = image.shape[:2]
    padded = experiment.on_canvas(image, tiles)
    scale = run.config.data.scale
    grown = tuple(max(round(a / scale), b) for a, b in zip(padded.shape[1:3], size, strict=True)) if tiles else size
    found = scoring.detect(run.detector, run.state, padded, threshold=level, min_area=min_area, tiles=tiles, size=grown)
    scores, mask, _ = jax.device_get(found)
    crop = lambda x, to: None if x is None else x[0, : to[0], : to[1]]
    return Detected(
        float(scores.image[0]), crop(scores.map, size), crop(mask, size), crop(scores.reconstruction, (height, width))
    )


def fit_thresholds(run: Run, data: Data) -> tuple[threshold.Threshold, threshold.Threshold]:
    """(pixel, image) thresholds, from the normal calibration pictures only."""
    knobs = run.config.threshold
    split = data.seen.calibration
    tiles = experiment.tiles_of(run.config, experiment.sizes_of(split))
    found = [
        detect_picture(run, sample.image, sample.image.shape[:2], tiles=tiles, level=np.inf, min_area=0)
        for sample in split
    ]
    numbers = {"sigma": knobs.sigma, "quantile": knobs.quantile, "false_alarm_rate": knobs.false_alarm_rate}
    image = threshold.fit(knobs.image, [d.score for d in found], **numbers)
    pixel = threshold.fit(knobs.pixel, [d.map for d in found], **numbers)
    return pixel, image


def evaluate(run: Run, data: Data, workdir: Path, *, show: Sequence[str] | None = None) -> dict[str, Any]:
    """Scores the test pictures and writes result.json, predictions.csv and pictures/. Returns the result.

    show: ids of the pictures kept for a page; without, the worst ones.
    """
    pixel, image = fit_thresholds(run, data)
    if image.value is None:
        raise ValueError(
            "threshold.image = 'otsu' splits one picture's pixels; use pauta, quantile or false_alarm_rate"
        )
    with tempfile.TemporaryDirectory(dir=workdir, prefix=".maps.") as folder:
        scored = score_split(run, data, Path(folder), level=pixel.value)
        drawn = scored.outlined and scored.maps is not None
        found = metrics.evaluate(
            scored.scores, [r.label for r in scored.records], [r.kind for r in scored.records], image.value,
            **({"maps": scored.maps, "masks": scored.masks, "predicted": scored.predicted} if drawn else {}),
        )  # fmt: skip
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
    result = {
        "name": workdir.name, "detector": run.config.detector, "preset": run.config.preset, "seed": run.config.seed,
        "dataset": describe(run, data), "figures": found["figures"], "curves": found["curves"],
        "thresholds": {"pixel": pixel._asdict(), "image": image._asdict()},
        "timings": {**run.timings, "score_ms_per_image": scored.milliseconds},
        **experiment.environment(),
        "warnings": [*filter(None, (pixel.warning, image.warning)), *([] if drawn else [NOT_OUTLINED])],
    }  # fmt: skip
    experiment.write_json(workdir / "result.json", result)
    return result


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
