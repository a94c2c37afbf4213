"""A calibrated detector on the test images, step by step: predictions, thresholds, figures, and the folder of a run.

Each step is a function of what came before; `write` alone touches the run's folder.
"""

import csv
import functools
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from data_pipeline.record import Sample
from jaxdefect.maps import residuals
from jaxdefect.training.population import RunState
from launch.command import files
from launch.command.console import phase
from launch.command.environment import environment
from launch.run import thresholds
from launch.run.data import Data
from launch.run.figures import Figures, figures_of
from launch.run.folder import IMAGES, MAPS, PREDICTIONS, SCRATCH, write_config, write_result
from launch.run.prediction import Prediction, Predictor, decide, memory, predictor_of
from launch.run.predictions import Predictions, predict
from launch.run.thresholds import Fitted
from launch.run.trained import Run
from launch.run.warnings import warnings_of

COLUMNS = (
    "id", "surface", "kind", "label", "score", "image_threshold", "predicted", "pixel_threshold", "defect_pixels",
    "predicted_pixels", "precision", "recall", "f1", "routed",
)  # fmt: skip
FEW = 4  # arrays whose shapes are worth telling


class Evaluation(NamedTuple):
    """What came of a test."""

    predictions: Predictions
    fitted: Fitted
    figures: Figures


def evaluate(run: Run, data: Data, workdir: Path, *, show: Sequence[str] | None = None) -> dict[str, Any]:
    """Evaluates the test images and writes what came of it to the folder of the run. Returns the result.

    show: ids of the images kept for a page; without, the worst ones.
    """
    predictor = predictor_of(run, data)
    with tempfile.TemporaryDirectory(dir=workdir, prefix=SCRATCH) as maps:
        evaluation = evaluation_of(predictor, data, Path(maps))
        shutil.rmtree(workdir / MAPS, ignore_errors=True)
        if run.config.report.keep_maps:
            (Path(maps) / "test").rename(workdir / MAPS)
    return write(workdir, predictor, data, evaluation, show=show)


def evaluation_of(predictor: Predictor, data: Data, maps: Path) -> Evaluation:
    """Predictions, thresholds and figures; maps are kept in this folder while they are needed."""
    run, dataset = predictor.run, data.converted
    normal, defective = thresholds.images_to_fit_on(run.config, data)
    normal = predict(predictor, data, normal, maps / "normal", what="held-out images")
    if defective is not None:
        defective = predict(predictor, data, defective, maps / "defective", what="held-out defects")
    fitted = thresholds.fit(run.config.threshold, normal, defective)
    predictions = predict(predictor, data, dataset.test, maps / "test", original=data.original.test, what="test images")
    phase("comparing the test with the truth", said=False)
    return Evaluation(predictions, fitted, figures_of(run.config, run.facts, data, predictions, fitted))


def write(
    workdir: Path, predictor: Predictor, data: Data, evaluation: Evaluation, *, show: Sequence[str] | None
) -> dict[str, Any]:
    """The one writer of an evaluation: predictions.csv, images/, config.json, and result.json, which seals them."""
    run, rows = predictor.run, evaluation.figures.rows
    with files.replacing(workdir / PREDICTIONS) as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    if show is None:
        chosen = worst(rows, run.config.report.images)
    else:
        chosen = [index for index, row in enumerate(rows) if row["id"] in show]
    phase("drawing the images of the page", said=False)
    write_images(workdir / IMAGES, predictor, data, chosen, evaluation.fitted)
    write_config(workdir, run.config)
    warnings = warnings_of(run, data, *evaluation, workdir)
    result = result_of(predictor, data, evaluation, name=workdir.name, warnings=warnings)
    return write_result(workdir, result)


def result_of(
    predictor: Predictor, data: Data, evaluation: Evaluation, *, name: str, warnings: list[str]
) -> dict[str, Any]:
    """result.json."""
    run, (predictions, fitted, summary) = predictor.run, evaluation
    timings = {
        **run.timings, "score_ms_per_image": predictions.milliseconds, "images_per_s": 1e3 / predictions.milliseconds,
    }  # fmt: skip
    if run.config.report.memory:
        timings["score_mb"] = memory(predictor, data.converted.test[0].image)
    return {
        "name": name, "detector": run.config.detector, "preset": run.config.preset, "seed": run.config.seed,
        "dataset": describe(run, data), "curves": summary.curves,
        "figures": summary.figures | ({"painted": fitted.painted} if fitted.painted else {}),
        "thresholds": {"pixel": fitted.pixel._asdict(), "image": fitted.image._asdict()},
        "tiles": predictor.tiles and list(predictor.tiles), "fitted": fitted.as_json(),
        "state": sizes_of_state(run.state),
        **({"surfaces": summary.surfaces} if summary.surfaces else {}),
        **({"kinds": summary.kinds} if summary.kinds else {}),
        "timings": timings, **environment(), "warnings": warnings,
    }  # fmt: skip


def sizes_of_state(state: RunState) -> dict[str, dict]:
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


def describe(run: Run, data: Data) -> dict[str, Any]:
    """result.json's account of the dataset."""
    dataset = data.converted
    labels = [record.label for record in dataset.test.records]
    kinds = [record.kind for record in dataset.test.records if record.label]
    supervised = run.config.train.supervision in ("masks", "kinds")
    return {
        "name": dataset.name,
        "root": run.config.data.root,
        "fingerprint": dataset.fingerprint,
        "channels": run.config.data.channels,
        "counts": {
            "train": len(dataset.train), "calibration": len(dataset.calibration),
            "test_good": labels.count(0), "test_defective": labels.count(1),
            **({"train_defective": len(dataset.defective)} if supervised else {}),
        },
        "kinds": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
    }  # fmt: skip


def worst(rows: Sequence[dict], count: int) -> list[int]:
    """Which images a report shows: misses and false alarms, the worst first, then the most defective of the rest; and
    in every report a few good ones that passed, those nearest to the threshold. However many misses there are, one in
    four mistakes is a false alarm, if there are as many.
    """
    wrong = [i for i, row in enumerate(rows) if row["label"] != row["predicted"]]
    by_margin = sorted(wrong, key=lambda i: -abs(rows[i]["score"] - rows[i]["image_threshold"]))
    right = sorted(set(range(len(rows))) - set(wrong), key=lambda i: -rows[i]["score"])
    good = [i for i in right if not rows[i]["label"]][: max(1, count // 6)]
    others = [i for i in right if i not in good]
    most = count * 2 // 3 if len(right) >= count - count * 2 // 3 else count
    alarms = [i for i in by_margin if not rows[i]["label"]][: max(1, most // 4)]
    kept = {*alarms, *[i for i in by_margin if i not in alarms][: most - len(alarms)]}
    return ([i for i in by_margin if i in kept] + others)[: count - len(good)] + good


def write_images(folder: Path, predictor: Predictor, data: Data, chosen: Sequence[int], fitted: Fitted) -> None:
    """NNN.npz of the chosen test images, at original resolution, and index.json; masks and boxes as `decide` says."""
    shutil.rmtree(folder, ignore_errors=True)
    index = []
    for number, place in enumerate(chosen):
        original, shown = data.original.test[place], data.converted.test[place].image
        prediction = predictor(shown, original.image.shape[:2])
        _, mask = decide(
            prediction, image_threshold=fitted.image.value, pixel_threshold=fitted.pixel.value,
            min_area=predictor.run.config.threshold.min_area,
        )  # fmt: skip
        if prediction.boxes is not None:
            prediction = prediction._replace(boxes=prediction.boxes[prediction.boxes[:, 4] > fitted.image.value])
        files.write_arrays(folder / f"{number:03d}.npz", **image_arrays(original, shown, prediction, mask))
        index.append({"file": f"{number:03d}.npz", "id": original.id})
    files.write_json(folder / "index.json", index)


_squared = jax.jit(residuals.squared)
_resized = jax.jit(functools.partial(jax.image.resize, method="linear"), static_argnums=1)


def image_arrays(
    original: Sample, shown: np.ndarray, prediction: Prediction, mask: np.ndarray | None
) -> dict[str, np.ndarray]:
    """What the report shows of an image; what the detector does not give is left out. shown: as the detector saw it."""
    height, width = original.image.shape[:2]
    arrays = {"image": original.image}
    if prediction.boxes is not None:
        arrays["boxes"] = prediction.boxes
    if prediction.map is not None:
        arrays |= {"map": prediction.map, "mask": mask.astype(np.uint8)}
    if prediction.reconstruction is not None:
        reconstruction = prediction.reconstruction
        resize = lambda x: jax.device_get(_resized(jax.device_put(x), (height, width, *x.shape[2:])))
        seen = jax.device_put((shown[None] / np.float32(255), reconstruction[None]))
        arrays["residual"] = resize(jax.device_get(_squared(*seen))[0])
        arrays["reconstruction"] = np.round(np.clip(resize(reconstruction), 0, 1) * 255).astype(np.uint8)
    if original.mask is not None:
        arrays["truth"] = original.mask
    return arrays
