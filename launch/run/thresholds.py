"""Thresholds of a trained run, fitted on normal images; and what other multiples of their spread would decide."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from data_pipeline import Split
from jaxdefect.metrics import ranking, threshold
from jaxdefect.metrics.threshold import Threshold
from launch.run import simulated
from launch.run.data import Data
from launch.run.predictions import Predictions

# Rules that `threshold.fit` does not know: they need defective images, too.
WITH_DEFECTS = "f1"
WITH_FLAWS = "simulated"  # made of the normal ones
NAMES = {"calibration": "calibration", "train": "training"}


class Fitted(NamedTuple):
    """Thresholds, and the image scores of the normal images they were fitted on.

    painted: how well flaws painted on these are found, see `simulated.found`: what detectors and settings may be
    chosen by. None where no rule paints any.
    """

    pixel: Threshold
    image: Threshold
    on: str  # calibration or train
    scores: list[float]
    painted: dict[str, dict[str, float]] | None = None

    def as_json(self) -> dict[str, Any]:
        """result.json's `fitted`: the scores, their mean and (population) standard deviation."""
        return {"on": self.on, "scores": self.scores, "mean": np.mean(self.scores), "std": np.std(self.scores)}


def images_to_fit_on(config: ConfigDict, data: Data) -> tuple[Split, Split | None]:
    """The normal images of `threshold.fitted_on`, and the defective ones where a rule asks for them.

    Methods that learn from defects and fit on their training images take the defective ones of these. Raises ValueError
    as `check` does.
    """
    check(config, data)
    knobs, dataset = config.threshold, data.converted
    trained, rules = knobs.fitted_on == "train", (knobs.image_rule, knobs.pixel_rule)
    normal = dataset.train if trained else dataset.calibration
    if WITH_FLAWS in rules:
        original = data.original.train if trained else data.original.calibration
        return normal, simulated.painted(config, normal, original)
    defective = dataset.defective if trained else dataset.calibration_defective
    return normal, defective if WITH_DEFECTS in rules else None


def check(config: ConfigDict, data: Data) -> None:
    """Raises ValueError, before anything is trained, for rules that go ill together or lack the images they ask for."""
    knobs = config.threshold
    if knobs.fitted_on not in NAMES:
        raise ValueError(f"threshold.fitted_on = {knobs.fitted_on!r} is not known; use calibration (held out) or train")
    rules = {"threshold.image_rule": knobs.image_rule, "threshold.pixel_rule": knobs.pixel_rule}
    if {WITH_DEFECTS, WITH_FLAWS} <= {*rules.values()}:
        told = " with ".join(f"{field} = {rule!r}" for field, rule in rules.items())
        raise ValueError(f"{told}: one needs real defects, the other painted flaws; use the same for both, or pauta "
                         "for one")  # fmt: skip
    held = data.converted.defective if knobs.fitted_on == "train" else data.converted.calibration_defective
    if WITH_DEFECTS in rules.values() and not held:
        asking = next(field for field, rule in rules.items() if rule == WITH_DEFECTS)
        raise ValueError(f"{asking} = {WITH_DEFECTS!r} needs defective images held out, and there are none; keep some "
                         f"from the test by data.train_defective_fraction=0.5, or give {asking}=pauta")  # fmt: skip


def fit(knobs: ConfigDict, normal: Predictions, defective: Predictions | None) -> Fitted:
    """The pixel and image thresholds, from normal images only; those of rule f1 from held-out defects, too.

    knobs: config.threshold. normal, defective: what was predicted of `images_to_fit_on`.
    """
    parameters = {"sigma": knobs.sigma, "quantile": knobs.quantile, "false_alarm_rate": knobs.false_alarm_rate}
    if knobs.image_rule in (WITH_DEFECTS, WITH_FLAWS):
        scores = normal.scores + defective.scores
        image = threshold.fit_f1(scores, [0] * len(normal.scores) + [1] * len(defective.scores))
        if knobs.image_rule == WITH_FLAWS:
            image = at_least(image, threshold.fit("false_alarm_rate", normal.scores, **parameters), "painted flaws")
    else:
        image = threshold.fit(knobs.image_rule, normal.scores, **parameters)
    if image.value is None:
        raise ValueError("threshold.image_rule = 'otsu' splits one image's pixels; use pauta, quantile or "
                         "false_alarm_rate")  # fmt: skip
    if normal.maps is None:
        pixel = image._replace(value=None, rule="none: the detector gives no map", warning=None)
    elif knobs.pixel_rule == WITH_DEFECTS:
        pixel = best_for_pixels(normal, defective)
    elif knobs.pixel_rule == WITH_FLAWS:
        best = threshold.fit_mean_f1(defective.maps, defective.masks)
        pixel = at_least(best, threshold.fit("quantile", normal.maps, **parameters), "painted flaws")
    else:
        pixel = threshold.fit(knobs.pixel_rule, normal.maps, **parameters)
    named = lambda fitted: fitted._replace(fitted_on=fitted.fitted_on.replace("calibration", NAMES[knobs.fitted_on]))
    painted = None
    if WITH_FLAWS in (knobs.image_rule, knobs.pixel_rule):
        labels = [0] * len(normal.scores) + [1] * len(defective.scores)
        maps = None if normal.maps is None else [*normal.maps, *defective.maps]
        masks = maps and [*(np.zeros(m.shape, np.uint8) for m in normal.maps), *defective.masks]
        painted = simulated.found(normal.scores + defective.scores, labels, maps, masks)
    return Fitted(named(pixel), named(image), knobs.fitted_on, normal.scores, painted)


def at_least(best: Threshold, bound: Threshold, what: str) -> Threshold:
    """The threshold of the best F1, or the one that bounds false alarms on normal images where that is higher."""
    rule = f"{best.rule} on {what}"
    if best.value >= bound.value:
        return best._replace(rule=f"{rule}, above {bound.rule}")
    return Threshold(bound.value, f"{bound.rule}, above {rule}", bound.fitted_on, bound.warning)


def best_for_pixels(normal: Predictions, defective: Predictions) -> Threshold:
    """The threshold of the best F1 over the pixels of good images and of defective ones that are outlined."""
    outlined = [index for index, record in enumerate(defective.records) if record.has_mask]
    maps = [*normal.maps, *(defective.maps[index] for index in outlined)]
    masks = [np.zeros(m.shape, np.uint8) for m in normal.maps] + [defective.masks[index] for index in outlined]
    best = ranking.best_f1(ranking.pixel_counts(maps, masks))["threshold"]
    if best is None:
        raise ValueError("threshold.pixel_rule = 'f1' needs held-out defective images with masks, and there are none; "
                         "use another rule such as pauta, or hold out more with data.calibration_fraction")  # fmt: skip
    fitted_on = f"{len(outlined)} outlined defective and {len(normal.maps)} good calibration images"
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
