"""Thresholds of a trained run, fitted on normal images; and what other multiples of their spread would decide."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_pipeline import Split
from jaxdefect.metrics import ranking, threshold
from jaxdefect.metrics.threshold import Threshold
from launch.run.data import Data
from launch.run.prediction import Detected, each
from launch.run.trained import Run

WITH_DEFECTS = "f1"  # the rule that `threshold.fit` does not know: it needs defective images, too
NAMES = {"calibration": "calibration", "train": "training"}


class Fitted(NamedTuple):
    """Thresholds, and the image scores of the normal images they were fitted on."""

    pixel: Threshold
    image: Threshold
    on: str  # calibration or train
    scores: list[float]

    def as_json(self) -> dict[str, Any]:
        """result.json's `fitted`: the scores, their mean and (population) standard deviation."""
        return {"on": self.on, "scores": self.scores, "mean": np.mean(self.scores), "std": np.std(self.scores)}


def images_to_fit_on(config, data: Data) -> Split:
    """The normal images of `threshold.fitted_on`."""
    chosen = config.threshold.fitted_on
    if chosen not in NAMES:
        raise ValueError(f"threshold.fitted_on = {chosen!r} is not known; use calibration (held out) or train")
    return data.seen.train if chosen == "train" else data.seen.calibration


def fit(run: Run, data: Data) -> Fitted:
    """The pixel and image thresholds of a run, from normal images only; those of rule f1 from held-out defects, too.

    Methods that learn from defects and fit on their training images take the defective ones of these.
    """
    knobs = run.config.threshold
    found = list(each(run, data, images_to_fit_on(run.config, data)))
    numbers = {"sigma": knobs.sigma, "quantile": knobs.quantile, "false_alarm_rate": knobs.false_alarm_rate}
    scores = [d.score for d in found]
    drawn = found[0].map is not None
    bad, masks = [], []
    if knobs.image_rule == WITH_DEFECTS or (drawn and knobs.pixel_rule == WITH_DEFECTS):
        split = data.seen.defective if knobs.fitted_on == "train" else data.seen.calibration_defective
        bad, masks = list(each(run, data, split)), [sample.mask for sample in split]
    if knobs.image_rule == WITH_DEFECTS:
        image = threshold.fit_f1(scores + [d.score for d in bad], [0] * len(scores) + [1] * len(bad))
    else:
        image = threshold.fit(knobs.image_rule, scores, **numbers)
    if image.value is None:
        raise ValueError("threshold.image = 'otsu' splits one image's pixels; use pauta, quantile or false_alarm_rate")
    pixel = image._replace(value=None, rule="none: the detector gives no map", warning=None)
    if drawn and knobs.pixel_rule == WITH_DEFECTS:
        pixel = of_pixels(found, bad, masks)
    elif drawn:
        pixel = threshold.fit(knobs.pixel_rule, [d.map for d in found], **numbers)
    named = lambda fitted: fitted._replace(fitted_on=fitted.fitted_on.replace("calibration", NAMES[knobs.fitted_on]))
    return Fitted(named(pixel), named(image), knobs.fitted_on, scores)


def of_pixels(good: Sequence[Detected], bad: Sequence[Detected], masks: Sequence[np.ndarray | None]) -> Threshold:
    """The threshold of the best F1 over the pixels of good images and of defective ones that are outlined."""
    outlined = [(d.map, mask) for d, mask in zip(bad, masks, strict=True) if mask is not None]
    maps = [d.map for d in good] + [scored for scored, _ in outlined]
    truths = [np.zeros(d.map.shape, np.uint8) for d in good] + [mask for _, mask in outlined]
    best = ranking.best_f1(ranking.pixel_counts(maps, truths))["threshold"]
    if best is None:
        raise ValueError("threshold.pixel = 'f1' needs held-out defective images with masks, and there are none; use "
                         "another rule such as pauta, or hold out more with data.calibration_fraction")  # fmt: skip
    fitted_on = f"{len(outlined)} outlined defective and {len(good)} good calibration images"
    return Threshold(best, "best F1 of pixels", fitted_on)


def pauta_table(fitted: Fitted, gammas: Sequence[float], scores: Sequence[float], labels: Sequence[int]) -> dict:
    """{"gamma0": {gamma, threshold, accuracy, recall, precision, specificity}, ...}: decisions at mean + gamma * std.

    For comparison with papers that set gamma by hand; none is chosen. A figure that is undefined is None.
    Source: Pauta criterion as in MAA, Section III-F.
    """
    mean, deviation = np.mean(fitted.scores), np.std(fitted.scores)
    defective = np.asarray(labels) == 1
    rows = {}
    for gamma in gammas:
        level = float(mean + gamma * deviation)
        flagged = np.asarray(scores, np.float64) > level
        share = lambda part, whole: float(part.sum() / whole.sum()) if whole.sum() else None
        rows[f"gamma{gamma:g}".replace(".", "_")] = {
            "gamma": gamma,
            "threshold": level if math.isfinite(level) else None,
            "accuracy": float(np.mean(flagged == defective)) if len(flagged) else None,
            "recall": share(flagged & defective, defective),
            "precision": share(flagged & defective, flagged),
            "specificity": share(~flagged & ~defective, ~defective),
        }
    return rows


def read_thresholds(folder: Path) -> tuple[float | None, float]:
    """(pixel, image) as fitted on the run's calibration images."""
    path = folder / "result.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; run launch.evaluate {folder} to fit the thresholds")
    fitted = json.loads(path.read_text())["thresholds"]
    return fitted["pixel"]["value"], fitted["image"]["value"]
