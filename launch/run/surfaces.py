"""How surfaces were told apart in a run: figures, the confusion of routing, attributes seen and assigned."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from jaxdefect.metrics import decisions
from launch.run.predictions import Predictions

ALARM = "alarm"


def surfaces_of(config: ConfigDict) -> list[str]:
    """The surfaces of a config's attribute table, in the order of its rows."""
    return list(config.data.attributes)


def surface_confusion(config: ConfigDict, predictions: Predictions, threshold: float) -> dict[str, Any]:
    """What result.json says of surfaces; empty for a run that tells none apart.

    figures: see `decisions.surface_figures`. routed: the surface each image was taken for, or "alarm". names, confusion
    (rows are true surfaces, columns those routed to, the alarm last), unseen; attributes: their names, what the table
    assigns to each surface and what its test images seemed to have on average.
    """
    if predictions.surfaces is None:
        return {}
    names, classes = surfaces_of(config), predictions.classes
    unseen = [names.index(name) for name in config.data.unseen]
    true = np.array([names.index(record.surface) for record in predictions.records])
    routed = decisions.routed(predictions.scores, predictions.surfaces, classes, threshold, unseen=unseen)
    summary = {
        "figures": decisions.surface_figures(true, routed, classes, unseen=unseen),
        "routed": [ALARM if place < 0 else names[place] for place in routed],
        "names": names, "unseen": list(config.data.unseen),
        "confusion": confusion_of(true, routed, len(names)).tolist(),
    }  # fmt: skip
    if predictions.embeddings is not None:
        summary["attributes"] = of_attributes(config, true, predictions.embeddings)
    return summary


def confusion_of(true: np.ndarray, routed: np.ndarray, count: int) -> np.ndarray:
    """Counts [K, K + 1]: rows are true surfaces, columns what they were taken for, the alarm (-1) last."""
    confusion = np.zeros((count, count + 1), int)
    np.add.at(confusion, (true, np.where(routed < 0, count, routed)), 1)
    return confusion


def of_attributes(config: ConfigDict, true: np.ndarray, embeddings: np.ndarray) -> dict[str, Any]:
    """The attributes assigned to each surface, and those its images [N, A] seemed to have on average."""
    names = surfaces_of(config)
    present = sorted(set(true.tolist()))
    return {
        "names": list(config.data.attribute_names),
        "assigned": {names[i]: list(config.data.attributes[names[i]]) for i in present},
        "predicted": {names[i]: embeddings[true == i].mean(0).tolist() for i in present},
    }


def words(names: Sequence[str], embedding: np.ndarray, *, at_most: int = 6) -> list[str]:
    """The attributes [A] an image seems to have, in words, clearest first: those at least half as clear."""
    order = np.argsort(-np.asarray(embedding))[:at_most]
    return [names[place] for place in order if embedding[place] > 0 and embedding[place] >= embedding[order[0]] / 2]
