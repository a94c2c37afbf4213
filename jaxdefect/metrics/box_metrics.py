"""How well boxes found agree with the true ones. On the host; boxes as in `boxes.py`, a higher score is worse."""

from collections.abc import Sequence

import numpy as np

from jaxdefect.maps import boxes
from jaxdefect.metrics.decisions import decision_figures

OVERLAP = 0.5  # intersection over union from which on a defect counts as found


def box_figures(boxes_found: Sequence[np.ndarray], truths: Sequence[np.ndarray], *, threshold: float = 0.0) -> dict:
    """Average precision at IoU 0.5 over all images, and what the boxes above a threshold find.

    found: of each image [N, 5], a box (top, left, bottom, right) and its score, zeros where there is none. truths: of
    each image [M, 4], zeros where there is none. threshold: of the scores, for all figures but ap50.
    Returns ap50 (None without true boxes), boxes (how many are true), found (of these), false_alarms, and precision,
    recall and f1 of the boxes found.
    ap50 is that of PASCAL VOC since 2010: the area under the precision-recall curve, of which each precision is the
    highest at that recall or a larger one, at all its points (COCO takes 101 of them). As there, a box found counts for
    the true one it overlaps most, once: the second to find the same is a false alarm. Of equal scores the first counts.
    Raises ValueError where the number of images differs, or boxes have no 5 or 4 numbers.
    Source: Everingham et al., The PASCAL Visual Object Classes Challenge: A Retrospective, 2015.
    """
    _check(boxes_found, truths)
    truths = [boxes_of(rows) for rows in truths]
    total = sum(map(len, truths))
    judged = [_judged(boxes_of(rows), own_truths) for rows, own_truths in zip(boxes_found, truths, strict=True)]
    scores = np.concatenate([rows for rows, _ in judged]) if judged else np.zeros(0)
    hits = np.concatenate([rows for _, rows in judged]) if judged else np.zeros(0, bool)
    order = np.argsort(-scores, kind="stable")
    above = scores > threshold
    counted, taken = int(np.sum(hits & above)), int(np.sum(above))
    return {
        "ap50": average_precision(hits[order], total) if total else None,
        "boxes": total,
        "found": counted,
        "false_alarms": taken - counted,
        **decision_figures(counted, total, taken),
    }


def average_precision(hits: np.ndarray, total: int) -> float:
    """The area under the precision-recall curve of detections by falling score, of `total` that are there.

    hits: bool [N]. Precision is made to fall with recall first: at each point the highest from there on.
    """
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(highest[hits]) / total)


def boxes_of(rows: np.ndarray) -> np.ndarray:
    """The rows [N, 4 or 5] that are boxes, as float64."""
    rows = np.asarray(rows, np.float64)
    return rows[boxes.area(rows[:, :4]) > 0]


def _judged(boxes_found: np.ndarray, truths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The scores of one image's boxes by falling score, and whether each finds a true one that none before it did."""
    boxes_found = boxes_found[np.argsort(-boxes_found[:, 4], kind="stable")]
    hits, taken = np.zeros(len(boxes_found), bool), set()
    if len(truths):
        overlaps = boxes.iou(boxes_found[:, :4], truths)
        for index, (best, overlap) in enumerate(zip(overlaps.argmax(1).tolist(), overlaps.max(1), strict=True)):
            if overlap >= OVERLAP and best not in taken:
                hits[index] = True
                taken.add(best)
    return boxes_found[:, 4], hits


def _check(boxes_found: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> None:
    if len(boxes_found) != len(truths):
        raise ValueError(f"boxes found are of {len(boxes_found)} images, true ones of {len(truths)}; give both of each "
                         "image, [0, 5] or [0, 4] where there are none")  # fmt: skip
    for name, every, numbers in (("found", boxes_found, 5), ("truths", truths, 4)):
        for index, rows in enumerate(every):
            if np.ndim(rows) != 2 or np.shape(rows)[1] != numbers:
                what = "top, left, bottom, right" + (" and a score" if numbers == 5 else "")
                raise ValueError(f"{name}[{index}] has shape {np.shape(rows)}; boxes are [N, {numbers}]: {what}")
