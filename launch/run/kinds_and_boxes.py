"""What a detector told of the test images beside scores and maps, against what is true: kinds of defect, boxes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.ndimage

from jaxdefect.metrics import decisions
from launch.run.data import Data
from launch.run.predictions import Scored
from launch.run.trained import Run


def kind_confusion(run: Run, scored: Scored) -> dict[str, Any]:
    """What result.json says of kinds of defect, of a detector that names them; else empty.

    figures: see `metrics.kind_figures`. names, good first; confusion (rows are true classes, columns those named).
    """
    names = ["good", *run.config.settings.get("kinds", ())]
    if scored.kinds is None or len(names) == 1:
        return {}
    known = {record.kind for record in scored.records if record.label} - set(names)
    if known:
        raise ValueError(f"kind {sorted(known)[0]!r} of a test image is not among settings.kinds = {names[1:]}; "
                         "train with all kinds there are")  # fmt: skip
    true = [names.index(record.kind) if record.label else 0 for record in scored.records]
    confusion = np.zeros((len(names), len(names)), int)
    np.add.at(confusion, (true, scored.kinds.argmax(1)), 1)
    return {"figures": decisions.kind_figures(true, scored.kinds), "names": names, "confusion": confusion.tolist()}


def true_boxes(run: Run, data: Data, masks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The boxes [M, 4] around the defects of each test image's mask, in pixels of the original.

    Pieces of a mask are one defect as in training (`boxes.mask_boxes`): settings.join is in pixels of what the detector
    sees. None is too small here to count. On the host: originals of many sizes would compile many times.
    """
    found = []
    for mask, seen in zip(masks, data.seen.test.records, strict=True):
        side = 2 * round((run.config.settings.join - 1) / 2 * mask.shape[0] / seen.height) + 1
        joined = scipy.ndimage.maximum_filter(mask, side)
        labels = scipy.ndimage.label(joined, np.ones((3, 3)))[0] * (mask > 0)
        slices = scipy.ndimage.find_objects(labels)
        rows = [(y.start, x.start, y.stop, x.stop) for y, x in filter(None, slices)]
        found.append(np.array(rows, np.float32).reshape(-1, 4))
    return found
