"""What to doubt in a result: all warnings of result.json, the worst first, as the terminal and the page repeat them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxdefect.detector import no_training
from launch.run.data import Data
from launch.run.figures import Figures
from launch.run.history import read_history
from launch.run.predictions import Predictions
from launch.run.thresholds import Fitted
from launch.run.trained import Run

EXPLODED = 1e6  # times the spread of normal scores
RESOLVED = 1e-3  # of a normal score, the least that counts as spread: a few equal scores have none
CHANCE = 0.05  # of tests by guessing rank as well, or better
FEW = 5  # normal images, from where on their spread is known to about a third
COLLAPSED = 0.05  # of the spread of real images
NOT_OUTLINED = "no pixel figures: some defective images have no mask, or the detector gives no map"
NO_MASKS = "no pixel figures: no defective image has a mask, so that only images are judged"


def warnings_of(
    run: Run, data: Data, predictions: Predictions, fitted: Fitted, summary: Figures, workdir: Path
) -> list[str]:
    """result.json's `warnings`. workdir: the folder of the run, whose history is looked at."""
    names = ("good", "defective") if predictions.surfaces is None else ("seen", "unseen")
    found = [
        exploded([row["score"] for row in summary.rows], fitted.scores),
        at_chance(summary, names),
        pixels_at_chance(summary.figures),
        *one_sided(summary.rows, names),
        untrained(run),
        of_few(fitted),
        fitted.pixel.warning,
        fitted.image.warning,
        without_pixels(predictions),
        collapsed(workdir),
        data.warning,
    ]
    return list(dict.fromkeys(filter(None, found)))


def exploded(scores: Sequence[float], normal: Sequence[float]) -> str | None:
    """Scores that are not finite, or further from normal ones than any surface explains: an overflow, mostly."""
    scores, normal = np.asarray([*scores, *normal], np.float64), np.asarray(normal, np.float64)
    middle = np.median(normal)
    spread = max(np.subtract(*np.quantile(normal, [0.75, 0.25])), RESOLVED * abs(middle))
    with np.errstate(invalid="ignore"):
        wild = ~np.isfinite(scores) | (np.abs(scores - middle) > EXPLODED * spread if spread > 0 else False)
    if not wild.any():
        return None
    largest = scores[wild][np.argmax(np.nan_to_num(np.abs(scores[wild]), nan=np.inf))]
    return (f"scores explode: {wild.sum()} of {len(scores)} lie beyond a million times the spread of normal ones, up "
            f"to {largest:.3g}; neither thresholds nor figures mean anything. Train again with another seed or a lower "
            "learning rate")  # fmt: skip


def at_chance(summary: Figures, names: tuple[str, str]) -> str | None:
    """A ranking of images that guessing reaches, too, by the rank test of Mann and Whitney."""
    from scipy.stats import mannwhitneyu  # A second to import, which every start would pay.

    good, bad = ([row["score"] for row in summary.rows if row["label"] == label] for label in (0, 1))
    if not good or not bad:
        return None
    auroc = summary.figures["image"]["auroc"]
    chance = mannwhitneyu(bad, good, alternative="greater").pvalue
    if chance < CHANCE:
        return None
    test = f"on {len(bad)} {names[1]} and {len(good)} {names[0]} images"
    if chance > 1 - CHANCE:
        return (f"image AUROC {auroc:.3f} is worse than guessing, {test}: {names[0]} images score higher than "
                f"{names[1]} ones")  # fmt: skip
    return (f"image AUROC {auroc:.3f} may be chance: guessing ranks as well in {100 * chance:.0f} of 100 tests {test}; "
            "train longer, take another detector, or test on more images")  # fmt: skip


def pixels_at_chance(figures: dict[str, Any]) -> str | None:
    """A ranking of pixels no better than guessing."""
    auroc = (figures.get("pixel") or {}).get("auroc")
    if auroc is None or auroc > 0.5:
        return None
    return f"pixel AUROC {auroc:.3f} is no better than guessing (0.5): maps do not show where defects are"


def one_sided(rows: Sequence[dict[str, Any]], names: tuple[str, str]) -> Iterator[str]:
    """A threshold beyond all scores that it should part."""
    called = {label: [row["predicted"] for row in rows if row["label"] == label] for label in (0, 1)}
    if called[1] and not any(called[1]):
        yield (f"the alarm rate is 0: none of {len(called[1])} {names[1]} images scores above the image threshold "
               f"{rows[0]['image_threshold']:.4g}; try another threshold.image_rule")  # fmt: skip
    if called[0] and all(called[0]):
        yield (f"all of {len(called[0])} {names[0]} images raise a false alarm: they score above the image threshold "
               f"{rows[0]['image_threshold']:.4g}, which normal images elsewhere were to stay below")  # fmt: skip


def untrained(run: Run) -> str | None:
    """No step taken by a detector that learns by steps."""
    if run.detector.step is no_training or run.timings.get("steps", run.config.train.steps):
        return None
    return "zero steps were trained: the scores are those of random weights; set train.steps"


def of_few(fitted: Fitted) -> str | None:
    """Thresholds from so few images that their spread is not known; silent where the rule said so itself."""
    count = len(fitted.scores)
    if count >= FEW or fitted.image.warning:
        return None
    images = "one normal image" if count == 1 else f"{count} normal images"
    more = "; hold out more (data.calibration_fraction)" if fitted.on == "calibration" else ""
    return f"thresholds were fitted on {images}, too few to know how normal scores spread{more}, or give more images"


def without_pixels(predictions: Predictions) -> str | None:
    """Why there are no pixel figures."""
    if predictions.surfaces is not None or (predictions.outlined and predictions.maps is not None):
        return None
    bare = predictions.maps is not None and not any(r.has_mask for r in predictions.records if r.label)
    return NO_MASKS if bare else NOT_OUTLINED


def collapsed(workdir: Path) -> str | None:
    """A generator that ended up drawing much the same image whatever it was given."""
    history, _ = read_history(workdir / "history.jsonl")
    spread = [row["spread"] for row in history if row.get("spread") is not None]
    if not spread or spread[-1] > COLLAPSED:
        return None
    return (f"the generator has collapsed: what it draws varies {100 * spread[-1]:.1f} % as much as real images do, "
            "and its scores mean little; train with another seed, or a lower learning rate")  # fmt: skip
