"""A run: config -> data -> feed -> fit -> calibrated detector in a folder. `evaluation.py` goes on from there."""

import contextlib
import functools
import inspect
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

import data_pipeline
import jaxdefect
from data_pipeline import pictures
from jaxdefect import feed, parallel, population, scoring, tiling, train
from jaxdefect.checkpoint import Checkpoints
from jaxdefect.detector import no_calibration, no_training
from launch import config as configs
from launch import files, logs

MANY_SIZES = 8  # Each size of pictures is a program of its own when scored whole (a second each to compile).


class Run(NamedTuple):
    """A trained, calibrated detector."""

    config: ConfigDict
    detector: jaxdefect.Detector
    state: Any
    timings: dict[str, float]


class Data(NamedTuple):
    """A dataset as the detector sees it, and its test pictures at original resolution, in the same order."""

    seen: data_pipeline.Dataset
    originals: data_pipeline.Split


def open_data(config: ConfigDict) -> Data:
    """Prepares or reads the dataset of a config."""
    data = config.data
    mix = data_pipeline.Mix(tuple(data.unseen), data.per_kind, data.pooled) if data.mixed else None
    if data.unseen and not mix:
        raise ValueError(f"data.unseen = {tuple(data.unseen)} needs data.mixed=True, where surfaces are told apart")
    fixed = {
        "root": data.root or None, "seed": data.seed, "calibration": data.calibration, "test_good": data.test_good,
        "train_defective": data.train_defective, "surface": data.surface, "mix": mix,
        "channels": data.channels, **data.options,
    }  # fmt: skip
    how = conversion(config)
    seen = data_pipeline.load(data.name, scale=how["scale"], resize=how["size"], **fixed)
    whole = how == {"scale": 1, "size": None}
    originals = seen.test if whole else data_pipeline.load(data.name, **fixed).test
    return Data(seen, originals)


def conversion(config: ConfigDict) -> dict[str, Any]:
    """How pictures are resized for the detector: `scale`, a factor, and `size`, (height, width) or None."""
    data = config.data
    if data.size < 0 or data.size and data.scale != 1:
        raise ValueError(f"data.size = {data.size} with data.scale = {data.scale}; give a number of pixels and leave "
                         "the scale at 1, or 0 to keep the pictures' own size")  # fmt: skip
    if data.width and not data.size:
        raise ValueError(f"data.width = {data.width} without data.size; give data.size, the number of rows, too")
    return {"scale": data.scale, "size": (data.size, data.width or data.size) if data.size else None}


def as_seen(config: ConfigDict, original: np.ndarray) -> np.ndarray:
    """A picture uint8 [H, W, C] in the channels and at the size the detector of a config sees."""
    height, width = pictures.target_size(*original.shape[:2], **conversion(config))
    return pictures.resize_image(pictures.to_channels(original, config.data.channels), height=height, width=width)


def make_detector(config: ConfigDict) -> tuple[jaxdefect.Detector, dict[str, np.ndarray]]:
    """The detector of a config, shared by all configs that differ from it in numbers only, and its numbers."""
    make, settings = jaxdefect.load(config.detector), config.settings.to_dict()
    takes = list(inspect.signature(make).parameters.values())
    if not (takes and takes[-1].kind is takes[-1].VAR_KEYWORD):  # Which passes settings on to another.
        missing = {one.name for one in takes if one.default is one.empty} - set(settings)
        wrong = sorted(missing | set(settings) - {one.name for one in takes})
        if wrong:
            what = "missing" if wrong[0] in missing else "unknown"
            raise ValueError(f"settings.{wrong[0]} is {what} for {config.detector}; a run of another version: "
                             "train it again in a new folder")  # fmt: skip
    return population.family(make, settings)


def tiles_of(config: ConfigDict, sizes: Iterable[tuple[int, int]]) -> tiling.Tiles | None:
    """How pictures of these (scaled) sizes are scored: None for whole."""
    knobs = config.score
    if knobs.mode not in ("auto", "whole", "tiled"):
        raise ValueError(f"score.mode = {knobs.mode!r} is not known; use auto, whole or tiled")
    if knobs.mode == "whole" or (knobs.mode == "auto" and len(set(sizes)) <= MANY_SIZES):
        return None
    tiles = tiling.Tiles(knobs.tile, knobs.overlap)
    tiling.check_tiles(tiles)
    return tiles


def sizes_of(split: data_pipeline.Split) -> list[tuple[int, int]]:
    """(height, width) of each picture, without decoding any."""
    return [(record.height, record.width) for record in split.records]


def on_canvas(image: np.ndarray, tiles: tiling.Tiles | None) -> np.ndarray:
    """A picture [H, W, C] as a batch of one, mirrored up to a whole grid of tiles, so that few sizes compile."""
    if tiles is None:
        return image[None]
    tall, wide = tiling.canvas(*image.shape[:2], tiles)
    return np.pad(image, ((0, tall - image.shape[0]), (0, wide - image.shape[1]), (0, 0)), "symmetric")[None]


def train_run(
    config: ConfigDict, workdir: Path, data: Data, source: feed.Feed, held_out: feed.Feed | None = None
) -> Run:
    """Trains (or resumes, or finds finished) the run of a folder and calibrates it.

    source, held_out: the feeds of what is trained on, and of what training is validated on, as `feeds` makes them.
    """
    detector, numbers = make_detector(config)
    knobs = config.train
    steps = 0 if detector.step is no_training else knobs.steps
    checkpoints = Checkpoints(workdir / "checkpoints")
    side = 8 * knobs.patch or None
    example = data.seen.train[0].image[:side, :side] if knobs.labels != "surfaces" else None  # Nothing to be drawn.
    started = time.monotonic()
    with logs.progress_bar() as bar, contextlib.closing(checkpoints):
        log = logs.TrainingLog(workdir, steps=steps, bar=bar)

        def on_log(step, metrics, state):
            if parallel.is_main():
                log(step, metrics)
                if example is not None and (step % knobs.save_every == 0 or step == knobs.steps):
                    log.pictures(step, strip(detector, jax.device_get(state), example))

        program = train.one_run(
            detector, source, key=jax.random.key(config.seed), batch=knobs.batch, numbers=numbers, held_out=held_out
        )  # fmt: skip
        with contextlib.closing(log):
            fit = train.fit(
                program, steps=steps, log_every=knobs.log_every, save_every=knobs.save_every,
                patience=knobs.patience, checkpoints=checkpoints, on_log=on_log,
            )  # fmt: skip
        state = jax.device_get(fit.state)
        if knobs.restore == "best" and checkpoints.best() is not None:
            state = checkpoints.restore(state, step=checkpoints.best())[1]
    state = calibrate(config, detector, state, data)
    with contextlib.closing(Checkpoints(workdir / "calibrated", keep=1)) as final:
        if fit.step not in final.steps():
            final.save(fit.step, state, loss=fit.best_loss, progress={"step": fit.step})
    seconds = time.monotonic() - started
    history = logs.read_history(workdir / "history.jsonl")
    timings = {"train_s": seconds, "steps": fit.step}
    if len(history) > 1:
        span = history[-1]["seconds"] - history[0]["seconds"]
        timings["steps_per_s"] = (history[-1]["step"] - history[0]["step"]) / span if span > 0 else None
    return Run(config, detector, state, timings)


def calibrate(config: ConfigDict, detector: jaxdefect.Detector, state: Any, data: Data) -> Any:
    """Folds the normal training pictures into the state; those held out are for the thresholds."""
    if detector.calibrate is no_calibration:
        return state
    tiles = tiles_of(config, sizes_of(data.seen.train))
    with logs.progress_bar() as bar:
        task = bar.add_task("calibrating", total=len(data.seen.train), note="")
        for sample in data.seen.train:
            state = scoring.calibrate(detector, state, on_canvas(sample.image, tiles), tiles=tiles)
            bar.advance(task)
    return jax.device_get(scoring.close(detector, state))


def strip(detector: jaxdefect.Detector, state: Any, image: np.ndarray) -> np.ndarray:
    """input | reconstruction | map side by side, uint8 [H, 3W, 1], the map from its least to its largest value."""
    scores = jax.device_get(scoring.detect(detector, state, image[None], threshold=jnp.inf).scores)
    panels = [image.mean(-1) / 255]
    panels += [scores.reconstruction[0].mean(-1)] if scores.reconstruction is not None else []
    if scores.map is not None:
        low, high = scores.map.min(), scores.map.max()
        panels.append((scores.map[0] - low) / max(high - low, 1e-12))
    return np.round(np.concatenate(panels, 1)[..., None] * 255).astype(np.uint8)


def load_run(workdir: Path) -> Run:
    """Reads a trained run back. Raises FileNotFoundError or ValueError with the remedy."""
    config = configs.read(workdir / "config.json")
    detector, numbers = make_detector(config)
    if not (workdir / "calibrated").is_dir():
        raise FileNotFoundError(
            f"{workdir} has no trained detector yet; finish it with launch.train --workdir {workdir}"
        )
    fresh = config.copy_and_resolve_references()
    if "weights" in fresh.settings:
        fresh.settings.weights = ""  # The run carries them; their file may be gone.
    template = jax.eval_shape(make_detector(fresh)[0].init, jax.random.key(0), example_batch(config), numbers)
    with contextlib.closing(Checkpoints(workdir / "calibrated", keep=1)) as final:
        found = final.restore(template)
    if found is None:
        raise FileNotFoundError(f"{workdir / 'calibrated'} is empty; train again with launch.train --workdir {workdir}")
    return Run(config, detector, found[1], {})


def example_batch(config: ConfigDict) -> jaxdefect.Batch:
    """The shape of a training batch, with the labels it has."""
    side = config.train.patch or 64  # A detector trained on whole pictures has weights for any size.
    count, labels = config.train.batch, config.train.labels
    images = jax.ShapeDtypeStruct((count, side, side, config.data.channels), jnp.float32)
    whole, outlined = (jax.ShapeDtypeStruct((count,), dtype) for dtype in (jnp.int32, jnp.float32))
    if labels == "masks":
        masks = jax.ShapeDtypeStruct((count, side, side), jnp.float32)
        return jaxdefect.Batch(images, mask=masks, label=whole, outlined=outlined)
    if labels == "surfaces":
        return jaxdefect.Batch(images, surface=whole, label=whole)
    return jaxdefect.Batch(images, other=images if config.train.pairs else None)


def default_workdir(config: ConfigDict) -> Path:
    """runs/<detector>-<preset>-<dataset>-<seed>."""
    name = Path(config.data.root).name if config.data.root else ""
    return Path("runs") / "-".join(
        filter(None, (config.detector, config.preset, config.data.name, name, str(config.seed)))
    )


@contextlib.contextmanager
def open_workdir(config: ConfigDict, workdir: Path) -> Iterator[None]:
    """Holds the folder of a run, refuses that of another config, writes config.json."""
    if not parallel.is_main():
        yield
        return
    with files.locked(workdir):
        if (workdir / "checkpoints").is_dir():  # Else nothing is lost: an earlier start failed before it trained.
            configs.check_same(config, workdir / "config.json")
        with files.replacing(workdir / "config.json") as file:
            file.write(configs.to_json(config))
        yield


@functools.cache
def environment() -> dict[str, Any]:
    """Versions and hardware, for result.json."""
    import os
    import platform
    from importlib.metadata import version

    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "dm-pix", "numpy", "jaxdefect")
    device = jax.devices()[0]
    return {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "hardware": {
            "platform": device.platform, "device": device.device_kind, "devices": jax.device_count(),
            "processes": jax.process_count(), "cpu_cores": os.cpu_count(), "machine": platform.machine(),
        },
    }  # fmt: skip


def write_json(path: Path, value: Any) -> None:
    """Writes JSON atomically; NaN and infinities are not JSON and become null."""
    clean = json.loads(json.dumps(value), parse_constant=lambda text: None)
    with files.replacing(path) as file:
        json.dump(clean, file, indent=2, allow_nan=False)
