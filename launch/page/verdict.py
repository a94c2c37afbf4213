"""What a test came to, in one sentence for somebody who knows no metric: found, missed, false alarms, outlines."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from launch.page.run_folder import Prediction, read_predictions

WIDE = 1.5  # times the defective pixels, from where on outlines are called too large
COVERED = 0.5  # of the defective pixels, below which outlines are said to leave most of them out


class Outcomes(NamedTuple):
    """How many images were defective and how many of them were missed; how many good, and falsely called defective."""

    defective: int
    misses: int
    good: int
    false_alarms: int


def outcomes_of(predictions: Sequence[Prediction]) -> Outcomes | None:
    """The counts at the fitted thresholds; None where no image is labelled and judged."""
    count = dict.fromkeys(("detected", "miss", "false alarm", "passed"), 0)
    for prediction in predictions:
        if prediction.outcome in count:
            count[prediction.outcome] += 1
    if not any(count.values()):
        return None
    defective, good = count["detected"] + count["miss"], count["passed"] + count["false alarm"]
    return Outcomes(defective, count["miss"], good, count["false alarm"])


def verdict(predictions: Sequence[Prediction], *, surfaces: bool = False) -> str:
    """The sentence; empty where nothing is known. surfaces: label 1 is an image of a surface that was never learnt."""
    outcomes = outcomes_of(predictions)
    if outcomes is None:
        return ""
    if surfaces:
        return f"{alarmed(outcomes)}; {false_alarms(outcomes, 'of a learnt surface')}."
    outlines = outlined(predictions)
    return f"{found(outcomes)}, {false_alarms(outcomes, 'good')}" + (f"; {outlines}." if outlines else ".")


def verdict_of(run: Path, result: dict) -> str:
    """The sentence of a run that was just evaluated."""
    return verdict(read_predictions(run / "predictions.csv"), surfaces=bool(result.get("surfaces")))


def found(outcomes: Outcomes) -> str:
    """ "All 24 defective images found"."""
    total, misses = outcomes.defective, outcomes.misses
    if not total:
        return "No defective image was tested"
    images = f"{total} defective image{'' if total == 1 else 's'}"
    if not misses:
        return f"All {images} found" if total > 1 else "The one defective image found"
    if misses == total:
        return f"None of {images} found" if total > 1 else "The one defective image missed"
    return f"{total - misses} of {images} found, {misses} missed"


def alarmed(outcomes: Outcomes) -> str:
    """The same of surfaces that were never learnt."""
    total, raised = outcomes.defective, outcomes.defective - outcomes.misses
    if not total:
        return "No image of an unknown surface was tested"
    return f"{'All' if raised == total else raised or 'None'} of {total} images of unknown surfaces raised the alarm"


def false_alarms(outcomes: Outcomes, what: str) -> str:
    """ "no false alarm among 16 good ones"; what: those that should raise none."""
    total, alarms = outcomes.good, outcomes.false_alarms
    ones = f"{what} one{'' if total == 1 else 's'}" if what == "good" else f"image{'' if total == 1 else 's'} {what}"
    if not total:
        return f"none that is {what} was tested"
    if not alarms:
        return f"no false alarm among {total} {ones}"
    if alarms == total:
        return f"false alarms on all {total} {ones}" if total > 1 else f"a false alarm on the {ones}"
    return f"{alarms} false alarm{'' if alarms == 1 else 's'} among {total} {ones}"


def outlined(predictions: Sequence[Prediction]) -> str:
    """How the outlines of the images that were found fit; empty where nobody knows where their defects are."""
    images = [p for p in predictions if p.outcome == "detected" and p.defect_pixels and p.predicted_pixels is not None]
    defective, marked = (sum(getattr(p, name) for p in images) for name in ("defect_pixels", "predicted_pixels"))
    if not images:
        return ""
    if not marked:
        return "nothing is outlined in them"
    hits = sum((p.recall or 0.0) * p.defect_pixels for p in images)
    covered, right, times = hits / defective, hits / marked, marked / defective
    if covered < COVERED:
        rest = f", and {percent(1 - right)} of what they mark is good" if right < COVERED else ""
        return f"outlines cover only {percent(covered)} of the defective pixels{rest}"
    if times >= WIDE:
        return f"outlines are {times:.{0 if times >= 9.95 else 1}f} times as large as the defects".replace(".0 ", " ")
    fit = f"and {percent(right)} of what they mark is defective"
    return f"outlines cover {percent(covered)} of the defective pixels, {fit}"


def percent(share: float) -> str:
    """A share of [0, 1] as "19 %"."""
    return f"{100 * share:.0f} %"
