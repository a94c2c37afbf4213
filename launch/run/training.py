"""Trains the run of a folder, resuming where it was stopped, and calibrates it."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

import jaxdefect
from jaxdefect import parallel, scoring
from jaxdefect.detector import no_calibration, no_training
from jaxdefect.training import feed, loop
from jaxdefect.training.checkpoint import Checkpoints
from launch.command import console
from launch.run import simulated
from launch.run.data import Data, facts_of
from launch.run.history import TrainingLog, read_history
from launch.run.prediction import dataset_sizes, on_canvas, tiles_of
from launch.run.trained import Run, make_detector, write_facts

VALIDATION = ("normal", "simulated")  # train.validate_on


def train_run(
    config: ConfigDict, workdir: Path, data: Data, source: feed.Feed, held_out: feed.Feed | None = None
) -> Run:
    """Trains (or resumes, or finds finished) the run of a folder and calibrates it.

    source, held_out: the feeds of what is trained on, and of what training is validated on, as `feeds` makes them.
    """
    facts, knobs = facts_of(config, data), config.train
    detector, hyperparams = make_detector(config, facts)
    if parallel.is_main():
        write_facts(workdir, facts)
    steps = 0 if detector.step is no_training else knobs.steps
    checkpoints = Checkpoints(workdir / "checkpoints")
    side = 8 * knobs.patch or None
    with_map = knobs.supervision != "surfaces"
    example = data.converted.train[0].image[:side, :side] if with_map else None
    started = time.monotonic()
    with console.progress_bar() as bar, contextlib.closing(checkpoints):
        log = TrainingLog(workdir, steps=steps, bar=bar)

        def on_log(step, metrics, state):
            if parallel.is_main():
                log(step, metrics)
                if example is not None and (step % knobs.save_every == 0 or step == knobs.steps):
                    log.images(step, strip(detector, jax.device_get(state), example))

        program = loop.one_run(
            detector, source, key=jax.random.key(config.seed), batch=knobs.batch, hyperparams=hyperparams,
            held_out=held_out, judge=judge_of(config, data, detector),
        )  # fmt: skip
        with contextlib.closing(log):
            fit = loop.fit(
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
    history, _ = read_history(workdir / "history.jsonl")
    timings = {"train_s": seconds, "steps": fit.step}
    if len(history) > 1:
        span = history[-1]["seconds"] - history[0]["seconds"]
        timings["steps_per_s"] = (history[-1]["step"] - history[0]["step"]) / span if span > 0 else None
    return Run(config, detector, state, timings, facts)


def judge_of(config: ConfigDict, data: Data, detector: jaxdefect.Detector) -> Callable[[Any], dict] | None:
    """What training is judged by beside its loss, where a config validates on painted flaws."""
    knobs = config.train
    if knobs.validate_on not in VALIDATION:
        raise ValueError(f"train.validate_on = {knobs.validate_on!r} is not known; use {' or '.join(VALIDATION)}")
    painted = knobs.validate and knobs.validate_on == "simulated"
    return simulated.validation(config, data, detector) if painted else None


def calibrate(config: ConfigDict, detector: jaxdefect.Detector, state: Any, data: Data) -> Any:
    """Folds the normal training images into the state; those held out are for the thresholds."""
    if detector.calibrate is no_calibration:
        return state
    tiles, normal = tiles_of(config, dataset_sizes(data)), data.converted.train
    with console.progress_bar() as bar:
        task = bar.add_task("calibrating", total=len(normal), note="")
        for sample in normal:
            state = scoring.calibrate(detector, state, on_canvas(sample.image, tiles), tiles=tiles)
            bar.advance(task)
    return jax.device_get(scoring.finalize(detector, state))


def strip(detector: jaxdefect.Detector, state: Any, image: np.ndarray) -> np.ndarray:
    """input | reconstruction | map side by side, uint8 [H, 3W, 1], the map from its least to its largest value."""
    scores = jax.device_get(scoring.detect(detector, state, image[None], threshold=jnp.inf).scores)
    panels = [image.mean(-1) / 255]
    panels += [scores.reconstruction[0].mean(-1)] if scores.reconstruction is not None else []
    if scores.map is not None:
        low, high = scores.map.min(), scores.map.max()
        panels.append((scores.map[0] - low) / max(high - low, 1e-12))
    return np.round(np.concatenate(panels, 1)[..., None] * 255).astype(np.uint8)
