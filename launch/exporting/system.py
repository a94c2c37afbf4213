"""Exports a two-stage system to a folder: model.onnx with all its stages inside, model.json, detect.py.

Each stage is exported as a run is, compared with it on the images it was trained for; then they are put together, and
the whole is compared with the system.
"""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from launch.command import files
from launch.exporting import convert, detect, joined, parity, shell
from launch.exporting.export import Example, check_free, export, in_folder, some, whole_folder
from launch.run.data import sizes_of
from launch.run.surfaces import surfaces_of
from launch.system import inspection
from launch.system.training import test_images


def export_system(
    place: Path, out: Path, *, size: tuple[int, int] | None, folder: Path | None, count: int, tolerance: float
) -> dict[str, Any]:
    """Writes the system of a place to `out` as one ONNX file and returns what model.json says. All else as `export`."""
    convert.check_installed()
    check_free(out)
    system = inspection.load(place)
    runs = {"": place / inspection.SURFACES} | {name: place / inspection.DEFECTS / name for name in system.defects}
    with whole_folder(out) as new:
        stages = [new / f"stage{number}" for number in range(len(runs))]
        told = {
            name: export(run, stage, size=size, folder=folder, count=count, tolerance=tolerance)
            for (name, run), stage in zip(runs.items(), stages, strict=True)
        }
        taken = image_of(list(told.values()))
        content = model_of(system, stages, taken)
        for stage in stages:
            shutil.rmtree(stage)
        about = about_system(place, system, told) | {"image": taken, "sha256": hashlib.sha256(content).hexdigest()}
        (new / "model.onnx").write_bytes(content)
        shutil.copyfile(detect.__file__, new / "detect.py")
        files.write_json(new / "model.json", about)
        part = in_folder(folder)["images"] if folder else of_test(system)
        sight = shell.Sight(taken["channels"], None, 1.0, None, taken["size"], taken["largest"])
        compared, wrong = compare(system, detect.Model(new), some(part, sight, count), tolerance)
        if wrong:
            raise ValueError(f"{place}: the exported model does not decide as the system does (tolerance "
                             f"{tolerance:g}): " + "; ".join(wrong))  # fmt: skip
        about["parity"] = {"tolerance": tolerance, "images" if folder else "test": compared}
        files.write_json(new / "model.json", about)
    return about


def model_of(system: inspection.System, stages: list[Path], taken: dict[str, Any]) -> bytes:
    """The bytes of the whole model, from the folders of its stages, that of the surfaces first."""
    import onnx

    first, *second = (onnx.load(stage / "model.onnx") for stage in stages)
    names = surfaces_of(system.surfaces.config)
    numbered = {names.index(name): model for name, model in zip(system.defects, second, strict=True)}
    return joined.joined(first, numbered, taken["size"], taken["channels"]).SerializeToString()


def of_test(system: inspection.System) -> Example:
    """The test images of all surfaces of a system, seen or not."""
    test = test_images(system.surfaces.config)
    return Example(sizes_of(test), lambda place: test[place].image)


def image_of(stages: list[dict[str, Any]]) -> dict[str, Any]:
    """What image all stages take: of one size, or up to one, where one of them asks for it. Raises ValueError where
    they disagree."""
    sizes = {tuple(told["image"]["size"]) for told in stages if told["image"]["size"]}
    if len(sizes) > 1:
        shown = ", ".join(f"{height}x{width}" for height, width in sorted(sizes))
        raise ValueError(f"its stages see images of several sizes ({shown}), each in its own; give the one that the "
                         f"model is to take, such as --size {max(sizes)[0]}x{max(sizes)[1]}")  # fmt: skip
    largest = [told["image"]["largest"] for told in stages if told["image"]["largest"]]
    channels = max(told["image"]["channels"] for told in stages)
    return {
        "dtype": "uint8", "size": next(iter(sizes), None),
        "largest": tuple(map(min, zip(*largest, strict=True))) or None, "channels": channels,
    }  # fmt: skip


def about_system(place: Path, system: inspection.System, told: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What model.json says beside the image it takes and the parity of the whole. told: of the stages, "" the first."""
    data, first = system.surfaces.config.data, told[""]
    stages = {
        name: {what: row[what] for what in ("detector", "preset", "image", "kinds", "parity")}
        for name, row in told.items()
    }
    return {
        "system": place.resolve().name, "dataset": data.name, "surfaces": surfaces_of(system.surfaces.config),
        "unseen": list(data.unseen), "attributes": list(data.attribute_names),
        "thresholds": {
            "distance": first["thresholds"]["image"],
            "surfaces": {name: told[name]["thresholds"] for name in system.defects},
        },
        "stages": {"surfaces": stages.pop(""), "defects": stages},
        "versions": first["versions"], "hardware": first["hardware"],
    }  # fmt: skip


def compare(
    system: inspection.System, model: detect.Model, images: Iterable[np.ndarray], tolerance: float
) -> tuple[dict[str, Any], list[str]]:
    """(what model.json says, faults) of images uint8 [H, W, C] that both look at.

    score: the distance from the surfaces seen. defects: of each surface, scores, maps and pixels of the images
    that both take for it. flipped_decisions: images that raise the alarm, or are defective, or are taken for a surface,
    with one and not the other.
    """
    distances, defects, flipped = parity.Comparison(), {}, 0
    for image in images:
        ours, theirs = inspection.judge(system, "", inspection.look(system, [image])[0]), model(image)
        distances.scores.append((ours.event["score"], theirs.distance))
        same = ours.event["surface"] == theirs.surface
        flipped += not same or (ours.event["event"] == "defect") != bool(theirs.defective)
        if same and theirs.surface:
            seen = SimpleNamespace(score=ours.event["defect_score"], map=ours.defect.map, mask=ours.mask)
            defects.setdefault(theirs.surface, parity.Comparison()).add(seen, theirs)
    if not distances.scores:
        raise ValueError("there is no image of that size to compare on; give others with --images FOLDER")
    limits = model.about["thresholds"]
    told = distances.as_json(system.alarm_threshold, limits["distance"]["value"]) | {
        "flipped_decisions": flipped,
        "defects": {
            name: seen.as_json(system.defects[name].image_threshold, limits["surfaces"][name]["image"]["value"])
            for name, seen in sorted(defects.items())
        },
    }
    wrong = parity.faults(told, tolerance)
    wrong += [f"{name}: {fault}" for name, row in told["defects"].items() for fault in parity.faults(row, tolerance)]
    return told, wrong
