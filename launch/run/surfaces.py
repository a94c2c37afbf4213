"""How surfaces were told apart in a run: figures, the confusion of routing, attributes said and assigned."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from jaxdefect.metrics import decisions
from launch.run import feeds
from launch.run.predictions import Scored
from launch.run.trained import Run

ALARM = "alarm"


def told_apart(run: Run, scored: Scored, threshold: float) -> dict[str, Any]:
    """What result.json says of surfaces; empty for a run that tells none apart.

    figures: see `metrics.surface_figures`. routed: the surface each image was taken for, or "alarm". names, confusion
    (rows are true surfaces, columns those routed to, the alarm last), unseen; attributes: their names, what the table
    assigns to each surface and what its test images seemed to have on average.
    """
    if scored.surfaces is None:
        return {}
    names = feeds.surfaces_of(run.config)
    unseen = [names.index(name) for name in run.config.data.unseen]
    true = np.array([names.index(record.surface) for record in scored.records])
    routed = decisions.routed(scored.scores, scored.surfaces, scored.classes, threshold, unseen=unseen)
    told = {
        "figures": decisions.surface_figures(true, routed, scored.classes, unseen=unseen),
        "routed": [ALARM if place < 0 else names[place] for place in routed],
        "names": names, "unseen": list(run.config.data.unseen),
        "confusion": confusion_of(true, routed, len(names)).tolist(),
    }  # fmt: skip
    if scored.embeddings is not None:
        told["attributes"] = of_attributes(run.config, true, scored.embeddings)
    return told


def confusion_of(true: np.ndarray, routed: np.ndarray, count: int) -> np.ndarray:
    """Counts [K, K + 1]: rows are true surfaces, columns what they were taken for, the alarm (-1) last."""
    confusion = np.zeros((count, count + 1), int)
    np.add.at(confusion, (true, np.where(routed < 0, count, routed)), 1)
    return confusion


def of_attributes(config: ConfigDict, true: np.ndarray, embeddings: np.ndarray) -> dict[str, Any]:
    """The attributes assigned to each surface, and those its images [N, A] seemed to have on average."""
    names = feeds.surfaces_of(config)
    present = sorted(set(true.tolist()))
    return {
        "names": list(config.attribute_names),
        "assigned": {names[i]: list(config.settings.attributes[names[i]]) for i in present},
        "predicted": {names[i]: embeddings[true == i].mean(0).tolist() for i in present},
    }


def words(names: Sequence[str], embedding: np.ndarray, *, at_most: int = 6) -> list[str]:
    """The attributes [A] an image seems to have, in words, clearest first: those at least half as clear."""
    order = np.argsort(-np.asarray(embedding))[:at_most]
    return [names[place] for place in order if embedding[place] > 0 and embedding[place] >= embedding[order[0]] / 2]
