"""What a two-stage system got right: the alarm, the routing, the defects after routing, and all of them together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxdefect.metrics import ranking
from jaxdefect.metrics.decisions import decision_figures
from launch.command.environment import environment
from launch.page.run_folder import read_result
from launch.page.system_page import stages_of
from launch.run.surfaces import confusion_of, of_attributes, surfaces_of
from launch.system.inspection import Inspection, System


def of_any_images(system: System, inspections: Sequence[Inspection], out: Path) -> dict[str, Any]:
    """result.json of images that nobody has labelled."""
    scores = [inspection.event["score"] for inspection in inspections if inspection.event["score"] is not None]
    broken = sum(inspection.event["event"] == "error" for inspection in inspections)
    return described(system, inspections, out) | {
        "distances": {"all": scores},
        "warnings": [f"{broken} of {len(inspections)} images could not be read; see events.jsonl"] if broken else [],
    }


def of_test_images(system: System, inspections: Sequence[Inspection], out: Path) -> dict[str, Any]:
    """result.json of a dataset's test images, labelled by surface and defects. Raises ValueError for a broken one."""
    broken = [inspection.event["error"] for inspection in inspections if inspection.event["event"] == "error"]
    if broken:
        raise ValueError(broken[0])
    names, unseen = surfaces_of(system.surfaces.config), list(system.surfaces.config.data.unseen)
    events = [inspection.event for inspection in inspections]
    new = np.array([event["true_surface"] in unseen for event in events])
    true = np.array([names.index(event["true_surface"]) for event in events])
    routed = np.array([-1 if event["surface"] is None else names.index(event["surface"]) for event in events])
    scores = np.array([event["score"] for event in events])
    by_surface, curves = {}, {}
    for name in sorted({event["true_surface"] for event in events}, key=names.index):
        of_surface = [event for event in events if event["true_surface"] == name]
        by_surface[name] = {
            "images": len(of_surface),
            "alarms": sum(event["event"] == "unseen" for event in of_surface),
        }
        if name not in unseen:
            by_surface[name] |= {"routed": float(np.mean([event["surface"] == name for event in of_surface]))}
            by_surface[name] |= decisions(of_surface)
            passed_on = [event for event in of_surface if event["defect_score"] is not None]
            counts = ranking.image_counts(*_scored(passed_on))
            curves[name] = ranking.curves(counts)["pr"]
    surfaces = {"names": names, "unseen": unseen, "confusion": confusion_of(true, routed, len(names)).tolist()}
    if inspections[0].embedding is not None:
        surfaces["attributes"] = of_attributes(
            system.surfaces.config, true, np.stack([inspection.embedding for inspection in inspections])
        )
    return described(system, inspections, out) | {
        "surfaces": surfaces, "by_surface": by_surface, "curves": curves,
        "figures": figures([e for e, is_new in zip(events, new, strict=True) if not is_new], new, routed, true),
        "distances": {"seen": scores[~new].tolist(), "unseen": scores[new].tolist()}, "warnings": [],
    }  # fmt: skip


def figures(seen: Sequence[dict], new: np.ndarray, routed: np.ndarray, true: np.ndarray) -> dict[str, Any]:
    """End to end. product: alarm_on_unseen * routing * ap, of those that are defined."""
    share = lambda which: float(np.mean(which)) if len(which) else None
    summary = {
        "alarm_on_unseen": share(routed[new] < 0), "alarm_on_seen": share(routed[~new] < 0),
        "routing": share((routed == true)[~new]), **decisions(seen),
    }  # fmt: skip
    factors = [summary[name] for name in ("alarm_on_unseen", "routing", "ap") if summary[name] is not None]
    return summary | {"product": float(np.prod(factors))}


def decisions(events: Sequence[dict]) -> dict[str, Any]:
    """How the defects of seen surfaces were judged, whatever detector their images were sent to.

    ap: of the images that reached a detector, by how far their scores are above its threshold. misses: defective
    images that were passed; false_alarms: good ones called defective. An image that raised the first stage's alarm
    is neither: it was stopped for another reason.
    """
    events = [event for event in events if event["defect_score"] is not None]
    scores, labels = _scored(events)
    called = np.array([event["event"] == "defect" for event in events], bool)
    defective = np.array(labels, bool)
    hits = int((called & defective).sum())
    counts = decision_figures(hits, int(defective.sum()), int(called.sum()))
    return {
        "ap": ranking.average_precision(ranking.image_counts(scores, labels)) if events else None, **counts,
        "misses": int((defective & ~called).sum()), "false_alarms": int((called & ~defective).sum()),
    }  # fmt: skip


def _scored(events: Sequence[dict]) -> tuple[list[float], list[int]]:
    # Each surface's detector has a scale of its own: what they have in common is the threshold.
    scores = [logit(event["defect_score"]) - logit(event["defect_threshold"]) for event in events]
    return scores, [event["defective"] for event in events]


def logit(share: float) -> float:
    """log(p / (1 - p)), finite for 0 and 1, too."""
    share = min(max(share, 1e-7), 1 - 1e-7)
    return float(np.log(share / (1 - share)))


def warnings_of_stages(folder: Path) -> list[str]:
    """What the results of a system's runs are doubted for, each text once with the runs that say it."""
    said: dict[str, list[str]] = {}
    for stage in stages_of(folder):
        for text in read_result(stage).get("warnings") or []:
            said.setdefault(str(text), []).append(str(stage.relative_to(folder)))
    return [f"{', '.join(stages)}: {text}" for text, stages in said.items()]


def described(system: System, inspections: Sequence[Inspection], out: Path) -> dict[str, Any]:
    """What both results say of the system and its speed. The first image of each program, which compiles, is left out
    of the medians."""
    data = system.surfaces.config.data
    first = [inspection.milliseconds[0] for inspection in inspections][1:]
    second = [inspection.milliseconds[1] for inspection in inspections if inspection.milliseconds[1]][1:]
    whole = [sum(inspection.milliseconds) for inspection in inspections][1:]
    median = lambda values: float(np.median(values)) if values else None
    return {
        "name": out.name, "dataset": {"name": data.name, "root": data.root}, "unseen": list(data.unseen),
        "threshold": system.alarm_threshold,
        "timings": {
            "surface_ms": median(first), "defect_ms": median(second), "whole_ms": median(whole),
            "images_per_s": 1e3 / median(whole) if whole else None,
        },
        **environment(),
    }  # fmt: skip
