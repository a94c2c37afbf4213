"""The two stages in use: an image to the surfaces' run, and on to the defects' run of the surface found there.

Each stage is one compiled program; the defect detectors share theirs and differ in their weights only.
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_pipeline import Sample
from launch.command import files
from launch.command.console import progress_bar
from launch.run.inference import OpenRun, open_run
from launch.run.prediction import Prediction, Predictor, defect_mask
from launch.run.surfaces import surfaces_of, words
from launch.run.thresholds import read_fitted
from launch.run.trained import Run, load_run
from launch.system.outcomes import outcome_of

SURFACES, DEFECTS = "surfaces", "defects"  # folders of a system
FEW = 4  # images of each outcome kept for the page, more of mistakes
SHOWN = dict.fromkeys(("missed unseen", "wrongly routed", "missed defect", "false alarm", "alarm on seen"), 12)


class System(NamedTuple):
    """What tells surfaces apart, and a defect detector for each surface it knows."""

    surfaces: Run
    alarm_threshold: float  # distances above it raise the alarm
    defects: dict[str, OpenRun]


class Inspection(NamedTuple):
    """What the system says of one image; defect is None where it raised the alarm or could not be read."""

    event: dict[str, Any]  # its line in events.jsonl
    defect: Prediction | None = None
    mask: np.ndarray | None = None  # bool [H, W]
    embedding: np.ndarray | None = None
    milliseconds: tuple[float, float] = (0.0, 0.0)  # of the first and the second stage


def load(folder: Path) -> System:
    """A trained system. Raises FileNotFoundError or ValueError with the remedy."""
    if not (folder / SURFACES / "config.json").is_file():
        raise FileNotFoundError(f"{folder} holds no system; train one with launch.two_stage {folder}")
    surfaces = load_run(folder / SURFACES)
    places = {path.name: path for path in sorted((folder / DEFECTS).glob("*")) if path.is_dir()}
    defects = {name: open_run(place) for name, place in places.items()}
    trained = json.loads((folder / SURFACES / "result.json").read_text())["surfaces"]
    tested = {name for name, row in zip(trained["names"], trained["confusion"], strict=True) if sum(row)}
    missing = sorted(tested - set(trained["unseen"]) - set(defects))
    if missing:
        raise FileNotFoundError(f"{folder / DEFECTS} has no detector for surface {missing[0]}; train it with "
                                f"launch.two_stage {folder}")  # fmt: skip
    return System(surfaces, read_fitted(folder / SURFACES).image, defects)


def inspect_image(system: System, id: str, original: np.ndarray) -> Inspection:
    """One image uint8 [H, W, C] through both stages."""
    config = system.surfaces.config
    begun = time.monotonic()
    surface = Predictor(system.surfaces, None).original(original)
    first = 1e3 * (time.monotonic() - begun)
    attributes = [] if surface.embedding is None else words(config.data.attribute_names, surface.embedding)
    event = {
        "id": id, "event": "unseen", "score": surface.score, "threshold": system.alarm_threshold,
        "attributes": attributes,
        **dict.fromkeys(("surface", "defect_score", "defect_threshold", "mask", "error")),
    }  # fmt: skip
    if surface.score > system.alarm_threshold:
        return Inspection(event, embedding=surface.embedding, milliseconds=(first, 0.0))
    name = surfaces_of(config)[surface.surface]
    stage, begun = system.defects[name], time.monotonic()
    defect = stage.predict(original)
    mask = defect_mask(defect, stage.pixel_threshold, stage.min_area)
    second = 1e3 * (time.monotonic() - begun)
    event |= {"event": "defect" if defect.score > stage.image_threshold else "passed", "surface": name,
              "defect_score": defect.score, "defect_threshold": stage.image_threshold}  # fmt: skip
    return Inspection(event, defect, mask, surface.embedding, (first, second))


def inspect_images(system: System, items: Iterable[tuple[str, Any]], count: int, out: Path) -> list[Inspection]:
    """Inspects images and writes events.jsonl, masks/ and images/ (of the page).

    items: (id, uint8 [H, W, C], or a Sample, or the error that reading it gave). An unreadable image is an event of
    its own, and the others go on.
    """
    shutil.rmtree(out / "images", ignore_errors=True)
    inspections, index, kept = [], [], Counter()
    with progress_bar() as bar:
        task = bar.add_task("inspecting", total=count, note="")
        for id, item in items:
            inspection = _inspect_item(system, id, item, out)
            inspection.event["outcome"] = outcome_of(inspection.event, system.surfaces.config.data.unseen)
            inspections.append(inspection)
            outcome = inspection.event["outcome"]
            if kept[outcome] < SHOWN.get(outcome, FEW) and not _unreadable(item):
                name = f"{len(index):03d}.npz"
                _write_image(out / "images" / name, item, inspection)
                index.append({"file": name, "id": id})
                kept[outcome] += 1
            bar.advance(task)
    with files.replacing(out / "events.jsonl") as file:
        file.writelines(json.dumps(inspection.event, allow_nan=False) + "\n" for inspection in inspections)
    files.write_json(out / "images" / "index.json", index)
    return inspections


def _unreadable(item: Any) -> bool:
    return isinstance(item, Exception)


def _inspect_item(system: System, id: str, item: Any, out: Path) -> Inspection:
    if _unreadable(item):
        nothing = dict.fromkeys(("surface", "score", "threshold", "defect_score", "defect_threshold", "mask"))
        return Inspection({"id": id, "event": "error", **nothing, "attributes": [], "error": str(item)})
    labelled = isinstance(item, Sample)
    inspection = inspect_image(system, id, item.image if labelled else item)
    if inspection.event["event"] == "defect" and inspection.mask is not None:
        mask = Path("masks") / f"{id}.png"
        files.write_png(out / mask, inspection.mask.astype(np.uint8) * 255)
        inspection.event["mask"] = str(mask)
    if labelled:
        inspection.event.update(true_surface=item.surface, defective=item.label)
    return inspection


def _write_image(path: Path, item: Any, inspection: Inspection) -> None:
    image, truth = (item.image, item.mask) if isinstance(item, Sample) else (item, None)
    arrays = {"image": image} | ({} if truth is None else {"truth": truth})
    if inspection.mask is not None:
        arrays |= {"map": inspection.defect.map, "mask": inspection.mask.astype(np.uint8)}
    files.write_arrays(path, **arrays)
