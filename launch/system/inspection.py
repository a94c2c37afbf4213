"""The two stages in use: an image to the surfaces' run, and on to the defects' run of the surface found there.

Each stage is one compiled program; the defect detectors share theirs and differ in their weights only.
"""

import io
import json
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_pipeline import Sample
from launch.command import console, files
from launch.page.system_page import judged
from launch.run import feeds, thresholds
from launch.run.data import as_seen
from launch.run.prediction import Detected, detect_image, tiles_of
from launch.run.surfaces import words
from launch.run.trained import Run, load_run

SURFACES, DEFECTS = "surfaces", "defects"  # folders of a system
FEW = 4  # images of each outcome kept for the page, more of mistakes
SHOWN = dict.fromkeys(("missed unseen", "wrongly routed", "missed defect", "false alarm", "alarm on seen"), 12)


class Stage(NamedTuple):
    """A trained run with its thresholds."""

    run: Run
    pixel: float | None
    image: float


class System(NamedTuple):
    """What tells surfaces apart, and a defect detector for each surface it knows."""

    surfaces: Run
    tau: float  # distances above it raise the alarm
    defects: dict[str, Stage]


class Inspection(NamedTuple):
    """What the system says of one image; defect is None where it raised the alarm or could not be read."""

    event: dict[str, Any]  # its line in events.jsonl
    defect: Detected | None = None
    embedding: np.ndarray | None = None
    milliseconds: tuple[float, float] = (0.0, 0.0)  # of the first and the second stage


def load(folder: Path) -> System:
    """A trained system. Raises FileNotFoundError or ValueError with the remedy."""
    if not (folder / SURFACES / "config.json").is_file():
        raise FileNotFoundError(f"{folder} holds no system; train one with launch.two_stage {folder}")
    surfaces = load_run(folder / SURFACES)
    defects = {}
    for name in sorted(path.name for path in (folder / DEFECTS).glob("*") if path.is_dir()):
        defects[name] = Stage(load_run(folder / DEFECTS / name), *thresholds.read_thresholds(folder / DEFECTS / name))
    told = json.loads((folder / SURFACES / "result.json").read_text())["surfaces"]
    tested = {name for name, row in zip(told["names"], told["confusion"], strict=True) if sum(row)}
    missing = sorted(tested - set(told["unseen"]) - set(defects))
    if missing:
        raise FileNotFoundError(f"{folder / DEFECTS} has no detector for surface {missing[0]}; train it with "
                                f"launch.two_stage {folder}")  # fmt: skip
    return System(surfaces, thresholds.read_thresholds(folder / SURFACES)[1], defects)


def inspect_image(system: System, id: str, original: np.ndarray) -> Inspection:
    """One image uint8 [H, W, C] through both stages."""
    begun = time.monotonic()
    seen = as_seen(system.surfaces.config, original)
    found = detect_image(system.surfaces, seen, seen.shape[:2], tiles=None, level=None, min_area=0)
    first = time.monotonic() - begun
    attributes = [] if found.embedding is None else words(system.surfaces.config.attribute_names, found.embedding)
    unknown = dict.fromkeys(("surface", "defect_score", "defect_threshold", "mask", "error"))
    event = {"id": id, "event": "unseen", "score": found.score, "threshold": system.tau, "attributes": attributes}
    event |= unknown
    if found.score > system.tau:
        return Inspection(event, None, found.embedding, (1e3 * first, 0.0))
    name = feeds.surfaces_of(system.surfaces.config)[found.surface]
    stage, begun = system.defects[name], time.monotonic()
    area, config = stage.run.config.threshold.min_area, stage.run.config
    seen = as_seen(config, original)
    tiles = tiles_of(config, [seen.shape[:2]])
    defect = detect_image(stage.run, seen, original.shape[:2], tiles=tiles, level=stage.pixel, min_area=area)
    second = time.monotonic() - begun
    event |= {"event": "defect" if defect.score > stage.image else "passed", "surface": name,
              "defect_score": defect.score, "defect_threshold": stage.image}  # fmt: skip
    return Inspection(event, defect, found.embedding, (1e3 * first, 1e3 * second))


def inspect_images(system: System, items: Iterable[tuple[str, Any]], count: int, out: Path) -> list[Inspection]:
    """Judges images and writes events.jsonl, masks/ and images/ (of the page).

    items: (id, uint8 [H, W, C], or a Sample, or the error that reading it gave). An unreadable image is an event of
    its own, and the others go on.
    """
    shutil.rmtree(out / "images", ignore_errors=True)
    found, index, kept = [], [], Counter()
    with console.progress_bar() as bar:
        task = bar.add_task("inspecting", total=count, note="")
        for id, item in items:
            one = _judged(system, id, item, out)
            found.append(one)
            outcome = outcome_of(one.event, system.surfaces.config.data.unseen)
            if kept[outcome] < SHOWN.get(outcome, FEW) and not _unreadable(item):
                name = f"{len(index):03d}.npz"
                _write_image(out / "images" / name, item, one)
                index.append({"file": name, "id": id})
                kept[outcome] += 1
            bar.advance(task)
    with files.replacing(out / "events.jsonl") as file:
        file.writelines(json.dumps(one.event, allow_nan=False) + "\n" for one in found)
    files.write_json(out / "images" / "index.json", index)
    return found


def _unreadable(item: Any) -> bool:
    return isinstance(item, Exception)


def _judged(system: System, id: str, item: Any, out: Path) -> Inspection:
    if _unreadable(item):
        nothing = dict.fromkeys(("surface", "score", "threshold", "defect_score", "defect_threshold", "mask"))
        return Inspection({"id": id, "event": "error", **nothing, "attributes": [], "error": str(item)})
    known = isinstance(item, Sample)
    one = inspect_image(system, id, item.image if known else item)
    if one.event["event"] == "defect" and one.defect.mask is not None:
        mask = Path("masks") / f"{id}.png"
        files.write_png(out / mask, one.defect.mask.astype(np.uint8) * 255)
        one.event["mask"] = str(mask)
    if known:
        one.event.update(true_surface=item.surface, defective=item.label)
    return one


def outcome_of(event: dict[str, Any], unseen: Sequence[str]) -> str:
    """What became of an image, as the page calls it: mistakes by name where the truth is known."""
    return judged(
        event["event"], event["surface"], true=event.get("true_surface"), unseen=list(unseen),
        defective=event.get("defective"),
    )  # fmt: skip


def _write_image(path: Path, item: Any, one: Inspection) -> None:
    image, truth = (item.image, item.mask) if isinstance(item, Sample) else (item, None)
    arrays = {"image": image} | ({} if truth is None else {"truth": truth})
    if one.defect is not None:
        arrays |= {"map": one.defect.map, "mask": one.defect.mask.astype(np.uint8)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    with files.replacing(path, "wb") as file:
        file.write(buffer.getvalue())
