"""Exports a run to a folder: model.onnx, model.json, detect.py. Compared with the run first, or not written at all."""

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from data_pipeline import images
from jaxdefect import scoring
from jaxdefect.maps.tiling import Tiles
from jaxdefect.metrics.threshold import otsu
from launch.command import files
from launch.command.environment import environment
from launch.exporting import convert, detect, parity, shell
from launch.run.data import conversion, open_data, sizes_of
from launch.run.inference import OpenRun, open_run
from launch.run.trained import Run


class Example(NamedTuple):
    """Images to compare on: height and width of each, and how one is read."""

    sizes: list[tuple[int, int]]
    read: Any  # (place) -> uint8 [H, W, C]


def export(
    run: Path, out: Path, *, size: tuple[int, int] | None, folder: Path | None, count: int, tolerance: float
) -> dict[str, Any]:
    """Writes a run to `out` as ONNX and returns what model.json says.

    size: (height, width) of the images it is to take, or of the largest (see `sight_of`), where its detector does not
    see all in one size; None: as the images at hand are. folder: of images to compare on, in place of the run's
    dataset. count: how many are compared of each part at most. tolerance: see `parity.faults`. Raises ValueError with
    the reason where the detector cannot be exported or the model decides otherwise; nothing is written then.
    """
    convert.check_installed()
    check_free(out)
    opened = open_run(run)
    config = opened.predictor.run.config
    parts = in_folder(folder) if folder else in_dataset(run, opened)
    sight = sight_of(opened, size, [size for part in parts.values() for size in part.sizes])
    try:
        model = as_onnx(opened, sight)
    except ValueError as error:
        raise ValueError(f"{run}: {config.detector} cannot be exported: {error}") from error
    content = model.SerializeToString()
    about = about_run(run, opened, sight) | {"sha256": hashlib.sha256(content).hexdigest()}
    with whole_folder(out) as place:
        (place / "model.onnx").write_bytes(content)
        shutil.copyfile(detect.__file__, place / "detect.py")
        files.write_json(place / "model.json", about)
        exported = detect.Model(place)
        compared = {name: parity.compare(opened, exported, some(part, sight, count)) for name, part in parts.items()}
        compared = {name: comparison for name, comparison in compared.items() if comparison.scores}
        if not compared:
            taken = sight.image or f"at most {sight.largest}"
            raise ValueError(f"there is no image of {taken} pixels to compare on; give others with --images FOLDER")
        limit = about["thresholds"]["image"]
        limit["margin"] = next(iter(compared.values())).margin()
        limit["value"] += limit["margin"]
        about["parity"] = {"tolerance": tolerance} | {
            name: comparison.as_json(opened.image_threshold, limit["value"]) for name, comparison in compared.items()
        }
        wrong = [f"{name}: {fault}" for name in compared for fault in parity.faults(about["parity"][name], tolerance)]
        if wrong:
            raise ValueError(f"{run}: the exported model does not decide as the run does (tolerance {tolerance:g}): "
                             + "; ".join(wrong))  # fmt: skip
        files.write_json(place / "model.json", about)
    return about


def check_free(out: Path) -> None:
    """Raises ValueError where there is something already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty; give a new folder")


def as_onnx(opened: OpenRun, sight: shell.Sight) -> Any:
    """The ModelProto of a run for images seen in this way."""
    run, tiles = opened.predictor.run, sight.tiles
    side = (tiles.size, tiles.size) if tiles else seen_size(sight)
    seen = jax.ShapeDtypeStruct((1, *side, sight.channels), jnp.uint8)

    def score(image: jax.Array) -> dict[str, jax.Array]:
        scores = run.detector.score(run.state, scoring.as_float(image))
        given = {name: getattr(scores, name, None) for name in shell.FIELDS}
        if scores.map is not None and run.config.threshold.pixel_rule == "otsu":
            given["level"] = jax.vmap(otsu)(scores.map)
        return {"score": scores.image} | {name: value for name, value in given.items() if value is not None}

    given = jax.eval_shape(score, seen)
    fields = [name for name in shell.FIELDS if name in given]
    names = ["score", *fields]
    core = convert.to_onnx(lambda image: [score(image)[name] for name in names], {"seen": seen}, names,
                           opset=shell.OPSET)  # fmt: skip
    return shell.wrapped(core, fields, sight, score_of_map(run, seen_size(sight)) if scored_whole(run, tiles) else None)


def scored_whole(run: Run, tiles: Tiles | None) -> bool:
    """Whether an image in tiles scores by its whole map."""
    return tiles is not None and run.detector.image_score is not None


def score_of_map(run: Run, largest: tuple[int, int]) -> Any:
    """The ModelProto of a map [1, H, W] as large as the largest, and int32 [2], what of it counts, to its score."""
    maps, sides = jax.ShapeDtypeStruct((1, *largest), jnp.float32), jax.ShapeDtypeStruct((2,), jnp.int32)
    return convert.to_onnx(lambda maps, sides: [run.detector.image_score(run.state, maps, sides)],
                           {"maps": maps, "sides": sides}, ["score"], opset=shell.OPSET)  # fmt: skip


def seen_size(sight: shell.Sight) -> tuple[int, int]:
    """(height, width) of what the detector sees of the image it takes, or of the largest."""
    return sight.size or images.target_size(*(sight.image or sight.largest), scale=sight.scale)


def sight_of(opened: OpenRun, size: tuple[int, int] | None, sizes: list[tuple[int, int]]) -> shell.Sight:
    """How a run sees images (H, W) of these sizes, or of the `size` to be taken: of one size where it does not bring
    all to one or look at tiles, of a largest where their score follows from all tiles."""
    predictor = opened.predictor
    how, channels = conversion(predictor.run.config), predictor.run.config.data.channels
    if not how["size"] and scored_whole(predictor.run, predictor.tiles):
        largest = size or tuple(map(max, zip(*sizes, strict=True)))
        return shell.Sight(channels, None, float(how["scale"]), predictor.tiles, None, largest)
    if size is None and not predictor.tiles and not how["size"]:
        if len(set(sizes)) > 1:
            shown = ", ".join(f"{height}x{width}" for height, width in sorted(set(sizes))[:3])
            raise ValueError(f"the images are of {len(set(sizes))} sizes ({shown}, ...) and this run sees each in its "
                             "own; give the one that the model is to take, such as --size "
                             f"{max(sizes)[0]}x{max(sizes)[1]}")  # fmt: skip
        size = sizes[0]
    sight = shell.Sight(channels, how["size"], float(how["scale"]), predictor.tiles, size)
    return sight if sight.tiles else sight._replace(tiles=predictor.of_size(*seen_size(sight)).tiles)


def in_dataset(run: Path, opened: OpenRun) -> dict[str, Example]:
    """The held-out normal images of a run and its test images. Raises ValueError where they are not at hand."""
    try:
        data = open_data(opened.predictor.run.config).original
    except (ValueError, OSError) as error:
        raise ValueError(f"the dataset of {run} is not at hand ({error}); give images to compare on with --images "
                         "FOLDER") from error  # fmt: skip
    channels = opened.predictor.run.config.data.channels
    return {
        name: Example(sizes_of(part), lambda place, part=part: images.to_channels(part[place].image, channels))
        for name, part in (("held_out", data.calibration), ("test", data.test)) if len(part)
    }  # fmt: skip


def in_folder(folder: Path) -> dict[str, Example]:
    """The images of a folder. Raises FileNotFoundError for none."""
    paths = [path for path in sorted(folder.rglob("*")) if images.is_image(path)]
    if not paths:
        raise FileNotFoundError(f"--images {folder} holds no images")
    return {
        "images": Example([images.upright_size(path) for path in paths], lambda place: images.read_image(paths[place]))
    }


def some(part: Example, sight: shell.Sight, count: int) -> Iterator[np.ndarray]:
    """At most `count` images of a part that the model takes, from all over it."""
    places = [place for place, size in enumerate(part.sizes) if sight.takes(size)]
    for index in np.unique(np.linspace(0, len(places) - 1, min(count, len(places))).astype(int)):
        yield images.to_channels(part.read(places[index]), sight.channels)


def about_run(run: Path, opened: OpenRun, sight: shell.Sight) -> dict[str, Any]:
    """What model.json says beside the parity."""
    config = opened.predictor.run.config
    limits = json.loads((run / "result.json").read_text())["thresholds"]
    origin = lambda which, value: {
        "value": value,
        "rule": limits[which]["rule"],
        "fitted_on": limits[which]["fitted_on"],
    }
    names = ("jaxdefect", "jax", "flax", "jax2onnx", "onnx", "onnxruntime", "numpy", "pillow")
    return {
        "run": run.resolve().name, "detector": config.detector, "preset": config.preset, "dataset": config.data.name,
        "image": {"dtype": "uint8", "size": sight.image, "largest": sight.largest, "channels": sight.channels},
        "thresholds": {
            "image": origin("image", opened.image_threshold), "pixel": origin("pixel", opened.pixel_threshold),
            "min_area": opened.min_area,
        },
        "kinds": ["good", *opened.predictor.run.facts["kinds"]] if opened.predictor.run.facts["kinds"] else None,
        "versions": {name: version(name) for name in names}, "hardware": environment()["hardware"],
    }  # fmt: skip


@contextlib.contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder that becomes `out` at the end, or vanishes after an error."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    except OSError as error:
        raise OSError(f"could not write {out} ({error.strerror}); give another folder") from error
    try:
        yield place
        place.chmod(0o755)
        place.replace(out)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
