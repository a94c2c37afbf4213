"""A trained run: the detector of a config, and how it is read back from its folder."""

import contextlib
import inspect
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

import jaxdefect
from jaxdefect.training import population
from jaxdefect.training.checkpoint import Checkpoints
from launch.command import configuration as configs


class Run(NamedTuple):
    """A trained, calibrated detector."""

    config: ConfigDict
    detector: jaxdefect.Detector
    state: Any
    timings: dict[str, float]


def make_detector(config: ConfigDict) -> tuple[jaxdefect.Detector, dict[str, np.ndarray]]:
    """The detector of a config, shared by all configs that differ from it in hyperparams only, and its hyperparams."""
    make, settings = jaxdefect.load(config.detector), config.settings.to_dict()
    takes = list(inspect.signature(make).parameters.values())
    if not (takes and takes[-1].kind is takes[-1].VAR_KEYWORD):  # Which passes settings on to another.
        missing = {one.name for one in takes if one.default is one.empty} - set(settings)
        wrong = sorted(missing | set(settings) - {one.name for one in takes})
        if wrong:
            what = "missing" if wrong[0] in missing else "unknown"
            raise ValueError(f"settings.{wrong[0]} is {what} for {config.detector}; a run of another version: "
                             "train it again in a new folder")  # fmt: skip
    return population.share_program(make, settings)


def load_run(workdir: Path) -> Run:
    """Reads a trained run back. Raises FileNotFoundError or ValueError with the remedy."""
    config = configs.read(workdir / "config.json")
    detector, hyperparams = make_detector(config)
    if not (workdir / "calibrated").is_dir():
        raise FileNotFoundError(
            f"{workdir} has no trained detector yet; finish it with launch.train --workdir {workdir}"
        )
    fresh = config.copy_and_resolve_references()
    if "weights" in fresh.settings:
        fresh.settings.weights = ""  # The run carries them; their file may be gone.
    template = jax.eval_shape(make_detector(fresh)[0].init, jax.random.key(0), example_batch(config), hyperparams)
    with contextlib.closing(Checkpoints(workdir / "calibrated", keep=1)) as final:
        found = final.restore(template)
    if found is None:
        raise FileNotFoundError(f"{workdir / 'calibrated'} is empty; train again with launch.train --workdir {workdir}")
    return Run(config, detector, found[1], {})


def example_batch(config: ConfigDict) -> jaxdefect.Batch:
    """The shape of a training batch, with the labels it has."""
    side = config.train.patch or 64  # A detector trained on whole images has weights for any size.
    count, labels = config.train.batch, config.train.supervision
    images = jax.ShapeDtypeStruct((count, side, side, config.data.channels), jnp.float32)
    whole, has_mask = (jax.ShapeDtypeStruct((count,), dtype) for dtype in (jnp.int32, jnp.float32))
    if labels == "masks":
        masks = jax.ShapeDtypeStruct((count, side, side), jnp.float32)
        return jaxdefect.Batch(images, mask=masks, label=whole, has_mask=has_mask)
    if labels == "surfaces":
        return jaxdefect.Batch(images, surface=whole, label=whole)
    return jaxdefect.Batch(images, paired_image=images if config.train.paired_images else None)
