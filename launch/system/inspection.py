"""The two stages in use: an image to the surfaces' run, and on to the defects' run of the surface found there.

Each stage is one compiled program; the defect detectors share theirs and differ in their weights only.
"""

import itertools
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_pipeline import Sample
from launch.command import files
from launch.command.console import progress_bar
from launch.run.folder import read_result, read_thresholds
from launch.run.inference import OpenRun, open_run
from launch.run.overlap import batches, in_threads, together_or_alone
from launch.run.prediction import Prediction, Predictor
from launch.run.surfaces import surfaces_of, words
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
    mask: np.ndarray | None = None  # bool [H, W], empty where it passed
    embedding: np.ndarray | None = None
    milliseconds: tuple[float, float] = (0.0, 0.0)  # of the first and the second stage, 0 of one that was not asked


class Seen(NamedTuple):
    """What the stages say of one image before anything is decided."""

    surface: Prediction
    name: str | None  # of the surface; None where the alarm is raised
    defect: Prediction | None
    milliseconds: tuple[float, float]


def load(folder: Path) -> System:
    """A trained system. Raises FileNotFoundError or ValueError with the remedy."""
    if not (folder / SURFACES / "config.json").is_file():
        raise FileNotFoundError(f"{folder} holds no system; train one with launch.two_stage {folder}")
    surfaces = load_run(folder / SURFACES)
    places = {path.name: path for path in sorted((folder / DEFECTS).glob("*")) if path.is_dir()}
    defects = {name: open_run(place) for name, place in places.items()}
    trained = read_result(folder / SURFACES)["surfaces"]
    tested = {name for name, row in zip(trained["names"], trained["confusion"], strict=True) if sum(row)}
    missing = sorted(tested - set(trained["unseen"]) - set(defects))
    if missing:
        raise FileNotFoundError(f"{folder / DEFECTS} has no detector for surface {missing[0]}; train it with "
                                f"launch.two_stage {folder}")  # fmt: skip
    return System(surfaces, read_thresholds(folder / SURFACES).image, defects)


def look(system: System, originals: Sequence[np.ndarray]) -> list[Seen]:
    """Images uint8 [H, W, C] of one size through both stages: all in one call, then those of each surface in one."""
    known = surfaces_of(system.surfaces.config)
    begun = time.monotonic()
    surfaces = Predictor(system.surfaces, None).originals(originals)
    first = 1e3 * (time.monotonic() - begun) / len(originals)
    seen = []
    for surface in surfaces:
        if np.isnan(surface.score):
            raise ValueError(
                "the distance to its surface is no number; train the system again with a lower learning rate"
            )
        name = known[surface.surface]  # Mode A of SBAD names unseen ones, too.
        if surface.score > system.alarm_threshold or name not in system.defects:
            name = None
        seen.append(Seen(surface, name, None, (first, 0.0)))
    for name in {one.name for one in seen} - {None}:
        places = [place for place, one in enumerate(seen) if one.name == name]
        begun = time.monotonic()
        defects = system.defects[name].predict_together([originals[place] for place in places])
        second = 1e3 * (time.monotonic() - begun) / len(places)
        for place, defect in zip(places, defects, strict=True):
            if np.isnan(defect.score):
                raise ValueError(f"the score of its defect is no number; train {DEFECTS}/{name} again")
            seen[place] = seen[place]._replace(defect=defect, milliseconds=(first, second))
    return seen


def judge(system: System, id: str, seen: Seen) -> Inspection:
    """The event of an image, and the mask of its defect."""
    embedding = seen.surface.embedding
    attributes = [] if embedding is None else words(system.surfaces.config.data.attribute_names, embedding)
    event = {
        "id": id, "event": "unseen", "score": seen.surface.score, "threshold": system.alarm_threshold,
        "attributes": attributes,
        **dict.fromkeys(("surface", "defect_score", "defect_threshold", "pixel_threshold", "mask", "error")),
    }  # fmt: skip
    if seen.name is None:
        return Inspection(event, embedding=embedding, milliseconds=seen.milliseconds)
    stage = system.defects[seen.name]
    defective, mask = stage.decide(seen.defect)
    event |= {"event": "defect" if defective else "passed", "surface": seen.name, "defect_score": seen.defect.score,
              "defect_threshold": stage.image_threshold,
              "pixel_threshold": None if mask is None else stage.level(seen.defect)}  # fmt: skip
    return Inspection(event, seen.defect, mask, embedding, seen.milliseconds)


def inspect_images(system: System, items: Sequence[tuple[str, Callable[[], Any]]], out: Path) -> list[Inspection]:
    """Inspects images and writes events.jsonl, masks/ and images/ (of the page). Decoding, the device and writing
    overlap; maps and masks are not kept.

    items: (id, what gives uint8 [H, W, C] or a Sample). An image that cannot be looked at is an event of its own, and
    the others go on.
    """
    shutil.rmtree(out / "images", ignore_errors=True)
    inspections, index, kept = [], [], Counter()
    read = in_threads(_read, items)
    together = batches(read, lambda item: None if isinstance(item[1], Exception) else pixels(item[1]).shape)
    looked_at = itertools.chain.from_iterable(_look_at(system, alike) for alike in together)
    with progress_bar() as bar:
        task = bar.add_task("inspecting", total=len(items), note="")
        for item, inspection in in_threads(lambda seen: _judge_and_write(system, *seen, out), looked_at):
            event = inspection.event
            outcome = event["outcome"] = outcome_of(event, system.surfaces.config.data.unseen)
            if kept[outcome] < SHOWN.get(outcome, FEW) and not isinstance(item, Exception):
                name = f"{len(index):03d}.npz"
                _write_image(out / "images" / name, item, inspection)
                index.append({"file": name, "id": event["id"]})
                kept[outcome] += 1
            inspections.append(inspection._replace(defect=None, mask=None))
            bar.advance(task)
    with files.replacing(out / "events.jsonl") as file:
        events = (files.as_json(inspection.event) for inspection in inspections)  # An infinite distance is no JSON.
        file.writelines(json.dumps(event, allow_nan=False) + "\n" for event in events)
    files.write_json(out / "images" / "index.json", index)
    return inspections


def pixels(item: Any) -> np.ndarray:
    """The image of an item, which may be a Sample."""
    return item.image if isinstance(item, Sample) else item


def _read(item: tuple[str, Callable[[], Any]]) -> tuple[str, Any]:
    """(id, the image or the Sample, or why it cannot be read)."""
    id, load_item = item
    try:
        return id, load_item()
    except (ValueError, OSError) as error:
        return id, error


def _look_at(system: System, alike: list[tuple[str, Any]]) -> list[tuple[str, Any, Seen | Exception]]:
    """Of items of one size: (id, item, what was seen or why nothing)."""
    ids, items = zip(*alike, strict=True)
    if isinstance(items[0], Exception):
        return [(ids[0], items[0], items[0])]
    seen = together_or_alone(lambda some: look(system, some), [pixels(item) for item in items])
    wrong = lambda id, one: ValueError(f"{id}: {one}") if isinstance(one, Exception) else one
    return [(id, item, wrong(id, one)) for id, item, one in zip(ids, items, seen, strict=True)]


def _judge_and_write(system: System, id: str, item: Any, seen: Seen | Exception, out: Path) -> tuple[Any, Inspection]:
    """(the item, or the error) and what is said of it; the mask of a defect is written."""
    if isinstance(seen, Exception):
        nothing = dict.fromkeys(
            ("surface", "score", "threshold", "defect_score", "defect_threshold", "pixel_threshold", "mask")
        )
        return seen, Inspection({"id": id, "event": "error", **nothing, "attributes": [], "error": str(seen)})
    inspection = judge(system, id, seen)
    if inspection.event["event"] == "defect" and inspection.mask is not None:
        mask = Path("masks") / f"{id}.png"
        files.write_png(out / mask, inspection.mask.astype(np.uint8) * 255)
        inspection.event["mask"] = str(mask)
    if isinstance(item, Sample):
        inspection.event.update(true_surface=item.surface, defective=item.label)
    return item, inspection


def _write_image(path: Path, item: Any, inspection: Inspection) -> None:
    image, truth = (item.image, item.mask) if isinstance(item, Sample) else (item, None)
    arrays = {"image": image} | ({} if truth is None else {"truth": truth})
    if inspection.mask is not None:
        arrays |= {"map": inspection.defect.map, "mask": inspection.mask.astype(np.uint8)}
    files.write_arrays(path, **arrays)
