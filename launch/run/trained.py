"""A trained run: the detector of a config, and how a run is read back from its folder."""

import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

import jaxdefect
from jaxdefect import detector as detectors
from jaxdefect.backbones.pretrained import RANDOM
from jaxdefect.training import population
from jaxdefect.training.checkpoint import Checkpoints, Damaged
from launch.command import files
from launch.run.folder import FACTS, read_config, training_command


class Run(NamedTuple):
    """A trained, calibrated detector. facts: what it was told of its data, see `data.facts_of`."""

    config: ConfigDict
    detector: jaxdefect.Detector
    state: Any
    timings: dict[str, float]
    facts: dict[str, Any]


def settings_of(config: ConfigDict, facts: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a detector's `make`: its settings, and what it asks for by name.

    That is `weights`, `steps` (those of the training), fields of config.data, and facts found in the data. Raises
    ValueError for settings that it does not know or lacks, and for weights where it takes none.
    """
    settings, asked = config.settings.to_dict(), detectors.parameters(config.detector)
    if config.weights and "weights" not in asked:
        raise ValueError(f"weights = {config.weights}: {config.detector} has no backbone that takes weights")
    weights = "" if config.weights == RANDOM else config.weights
    given = {**config.data.to_dict(), **facts, "weights": weights, "steps": max(1, config.train.steps)}
    missing = asked - settings.keys() - given.keys()
    wrong = sorted(missing | settings.keys() - asked)
    if wrong:
        what = "missing" if wrong[0] in missing else "unknown"
        raise ValueError(f"settings.{wrong[0]} is {what} for {config.detector}; a run of another version: "
                         "train it again in a new folder")  # fmt: skip
    return settings | {name: given[name] for name in asked - settings.keys()}


def make_detector(
    config: ConfigDict, facts: dict[str, Any] | None = None
) -> tuple[jaxdefect.Detector, dict[str, np.ndarray]]:
    """The detector of a config, shared by all configs that differ from it in floats only, and these floats.

    facts: as `data.facts_of` finds them; without, those of a dataset whose kinds of defect are not told apart.
    """
    return population.share_program(jaxdefect.load(config.detector), settings_of(config, facts or {"kinds": ()}))


def without_weights(config: ConfigDict) -> ConfigDict:
    """The config of a run that carries its weights: their file may be gone."""
    return ConfigDict(config.to_dict() | {"weights": ""})


def load_run(workdir: Path) -> Run:
    """Reads a trained run back. Raises FileNotFoundError or ValueError with the remedy."""
    config = read_config(workdir)
    remedy = training_command(config, workdir)
    if not (workdir / "calibrated").is_dir():
        raise FileNotFoundError(f"{workdir} has no trained detector yet; finish it with: {remedy}")
    try:
        facts = read_facts(workdir)
        detector, hyperparams = make_detector(without_weights(config), facts)
        key = jax.eval_shape(lambda: jax.random.key(0))  # To make one would compile.
        template = jax.eval_shape(detector.init, key, example_batch(config), hyperparams)
        with contextlib.closing(Checkpoints(workdir / "calibrated", read_only=True)) as final:
            restored = final.restore(template)
    except Damaged as error:
        raise ValueError(f"{error}. The run's training, started again, makes it anew: {remedy}") from error
    if restored is None:
        raise FileNotFoundError(f"{workdir / 'calibrated'} is empty; make what belongs there anew with: {remedy}")
    return Run(config, detector, jax.device_put(restored[1]), {}, facts)  # Handed to the device once, not per image.


def read_facts(workdir: Path) -> dict[str, Any]:
    """What a run was told of its data. Raises Damaged where the file is."""
    path = workdir / FACTS
    try:
        kinds = json.loads(path.read_bytes())["kinds"]
        if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
            raise ValueError(f"kinds is {kinds!r} and no list of names")
        return {"kinds": tuple(kinds)}
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise Damaged(f"{path} cannot be read ({error})") from error


def write_facts(workdir: Path, facts: dict[str, Any]) -> None:
    """Keeps what a run was told of its data."""
    files.write_json(workdir / FACTS, facts)


def example_batch(config: ConfigDict) -> jaxdefect.Batch:
    """The shape of a training batch, with what its supervision adds."""
    side = config.train.patch or 64  # A detector trained on whole images has weights for any size.
    count, supervision = config.train.batch, config.train.supervision
    images = jax.ShapeDtypeStruct((count, side, side, config.data.channels), jnp.float32)
    numbers, shares = (jax.ShapeDtypeStruct((count,), dtype) for dtype in (jnp.int32, jnp.float32))
    if supervision in ("simulated", "masks", "kinds"):
        masks = jax.ShapeDtypeStruct((count, side, side), jnp.float32)
        kinds = numbers if supervision == "kinds" else None
        return jaxdefect.Batch(images, mask=masks, label=numbers, has_mask=shares, kind=kinds)
    if supervision == "surfaces":
        return jaxdefect.Batch(images, surface=numbers, label=numbers)
    return jaxdefect.Batch(images, paired_image=images if config.train.paired_images else None)
