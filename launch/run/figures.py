"""From predictions and thresholds to figures: a pure function of both, and of what is true of the images."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.ndimage
from ml_collections import ConfigDict

from jaxdefect.metrics import box_metrics, decisions
from launch.run.data import Data
from launch.run.predictions import PackedMasks, Predictions
from launch.run.surfaces import surface_confusion
from launch.run.thresholds import Fitted, pauta_table


class Figures(NamedTuple):
    """What result.json and predictions.csv hold of a test: figures, curves, a row for each image.

    surfaces, kinds: what was told apart, with its confusion; empty for a detector that does not.
    """

    figures: dict[str, Any]
    curves: dict[str, Any]
    rows: list[dict[str, Any]]
    surfaces: dict[str, Any]
    kinds: dict[str, Any]


def figures_of(
    config: ConfigDict, facts: dict[str, Any], data: Data, predictions: Predictions, fitted: Fitted
) -> Figures:
    """The figures of the test images of a dataset."""
    records, level, image = predictions.records, fitted.pixel.value, fitted.image.value
    labels, with_pixels = [record.label for record in records], predictions.outlined and predictions.maps is not None
    pixels = {}
    if with_pixels:
        predicted = PackedMasks(predictions.mask(i, level, config.threshold.min_area) for i in range(len(records)))
        pixels = {"maps": predictions.maps, "masks": predictions.masks, "predicted": predicted}
    summary = decisions.evaluate(predictions.scores, labels, [r.kind for r in records], image, **pixels)
    figures = summary["figures"]
    if with_pixels:  # What guessing would give as average precision.
        total = sum(mask.size for mask in predictions.maps)
        figures["pixel"]["defective_share"] = sum(row["defect_pixels"] for row in summary["images"]) / total
    surfaces, kinds = surface_confusion(config, predictions, image), kind_confusion(facts["kinds"], predictions)
    figures |= {
        name: summary_of.pop("figures") for name, summary_of in (("surfaces", surfaces), ("kinds", kinds)) if summary_of
    }
    if predictions.boxes is not None and predictions.outlined:
        truths = true_boxes(config.data.join, data, predictions.masks)
        figures["boxes"] = box_metrics.box_figures(predictions.boxes, truths, threshold=image)
    figures["image"] |= pauta_table(fitted, config.threshold.gammas, predictions.scores, labels)
    rows = [
        {"id": r.id, "surface": r.surface, "kind": r.kind, "label": r.label, "score": score, "image_threshold": image,
         "predicted": int(score > image), "pixel_threshold": level if otsu is None else otsu, "routed": routed} | counts
        for r, score, otsu, counts, routed in zip(
            records, predictions.scores, predictions.otsu, summary["images"] or [{}] * len(records),
            surfaces.pop("routed", [None] * len(records)), strict=True)
    ]  # fmt: skip
    return Figures(figures, summary["curves"], rows, surfaces, kinds)


def kind_confusion(kinds: Sequence[str], predictions: Predictions) -> dict[str, Any]:
    """What result.json says of kinds of defect, of a detector that names them; else empty.

    figures: see `decisions.kind_figures`. names, good first; confusion (rows are true classes, columns those named).
    """
    names = ["good", *kinds]
    if predictions.kinds is None or len(names) == 1:
        return {}
    strange = {record.kind for record in predictions.records if record.label} - set(names)
    if strange:
        raise ValueError(f"kind {sorted(strange)[0]!r} of a test image is not among those trained on, "
                         f"{', '.join(kinds)}; train with all kinds there are")  # fmt: skip
    true = [names.index(record.kind) if record.label else 0 for record in predictions.records]
    confusion = np.zeros((len(names), len(names)), int)
    np.add.at(confusion, (true, predictions.kinds.argmax(1)), 1)
    figures = decisions.kind_figures(true, predictions.kinds)
    return {"figures": figures, "names": names, "confusion": confusion.tolist()}


def true_boxes(join: int, data: Data, masks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The boxes [M, 4] around the defects of each test image's mask, in pixels of the original.

    Pieces of a mask are one defect as in training (`boxes.mask_boxes`): join is in pixels of what the detector sees.
    No piece is too small to count. On the host: originals of many sizes would compile many times.
    """
    boxes = []
    for mask, shown in zip(masks, data.converted.test.records, strict=True):
        side = 2 * round((join - 1) / 2 * mask.shape[0] / shown.height) + 1
        joined = scipy.ndimage.maximum_filter(mask, side)
        labels = scipy.ndimage.label(joined, np.ones((3, 3)))[0] * (mask > 0)
        slices = scipy.ndimage.find_objects(labels)
        rows = [(y.start, x.start, y.stop, x.stop) for y, x in filter(None, slices)]
        boxes.append(np.array(rows, np.float32).reshape(-1, 4))
    return boxes
