"""Trains the run of a folder, resuming where it was stopped, and calibrates it."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

import jaxdefect
from jaxdefect import parallel, scoring
from jaxdefect.detector import no_calibration, no_training
from jaxdefect.training import feed, loop
from jaxdefect.training.checkpoint import Checkpoints, checksum
from launch.command import console, stopping
from launch.run import simulated, thresholds
from launch.run.data import Data, facts_of
from launch.run.history import TrainingLog, read_history
from launch.run.prediction import LARGE, NO_MASK, check_memory, dataset_sizes, on_canvas, predictor, tiles_of
from launch.run.trained import Run, make_detector, write_facts

VALIDATION = ("normal", "simulated")  # train.validate_on


def train_run(
    config: ConfigDict, workdir: Path, data: Data, source: feed.Feed, held_out: feed.Feed | None = None
) -> Run:
    """Trains (or resumes, or finds finished) the run of a folder and calibrates it.

    source, held_out: the feeds of what is trained on, and of what training is validated on, as `feeds` makes them.
    """
    facts, knobs = facts_of(config, data), config.train
    thresholds.check(config, data)
    tiles_of(config, dataset_sizes(data))  # Raises where they cannot be: now, and not once all is trained.
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

        drawn = {"key": jax.random.key(config.seed), "batch": knobs.batch, "hyperparams": hyperparams}
        check_largest(config, detector, data, lambda: loop.shapes(detector, source, **drawn))
        program = loop.one_run(
            detector, source, **drawn, held_out=held_out, judge=judge_of(config, data, detector)
        )  # fmt: skip
        alone = jax.process_count() == 1  # Several would have to agree on a step to stop at.
        with contextlib.closing(log), stopping.deferred() if alone else contextlib.nullcontext(lambda: False) as stop:
            fit = loop.fit(
                program, steps=steps, log_every=knobs.log_every, save_every=knobs.save_every,
                patience=knobs.patience, checkpoints=checkpoints, on_step=log.step, on_log=on_log, stop=stop,
            )  # fmt: skip
        state = jax.device_get(fit.state)
        if knobs.restore == "best" and checkpoints.steps():
            state = checkpoints.restore(state, best=True)[1]
    state = calibrate(config, detector, state, data)
    keep_calibrated(workdir, fit, state)
    seconds = time.monotonic() - started
    history, _ = read_history(workdir / "history.jsonl")
    timings = {"train_s": seconds, "steps": fit.step}
    if len(history) > 1:
        span = history[-1].get("seconds", 0) - history[0].get("seconds", 0)
        timings["steps_per_s"] = (history[-1]["step"] - history[0]["step"]) / span if span > 0 else None
    return Run(config, detector, jax.device_put(state), timings, facts)  # To the device once, not per image.


def check_largest(config: ConfigDict, detector: jaxdefect.Detector, data: Data, state: Callable[[], Any]) -> None:
    """Raises ValueError where to score the largest image, once all is trained, takes more memory than there is.

    state: the shapes of a state.
    """
    sizes = dataset_sizes(data)
    height, width = max(sizes, key=lambda size: size[0] * size[1])
    if height * width > LARGE:
        image = np.broadcast_to(np.uint8(0), (height, width, config.data.channels))  # One byte.
        check_memory(predictor(Run(config, detector, state(), {}, {}), sizes).of_size(height, width), image)


def keep_calibrated(workdir: Path, fit: loop.Fit, state: Any) -> None:
    """Writes the calibrated state, unless the folder holds just this one, and sound."""
    with contextlib.closing(Checkpoints(workdir / "calibrated", keep=1)) as final:
        try:
            kept = final.restore(state)
        except ValueError:  # Damaged, or of another version: it is replaced.
            kept = None
        if kept is None or kept[0] != fit.step or checksum(kept[1]) != checksum(state):
            final.save(fit.step, state, loss=fit.best_loss, progress={"step": fit.step})


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
    tiles, normal, state = tiles_of(config, dataset_sizes(data)), data.converted.train, jax.device_put(state)
    with console.progress_bar() as bar:
        task = bar.add_task("calibrating", total=len(normal), note="")
        for sample in normal:
            state = scoring.calibrate(detector, state, jax.device_put(on_canvas(sample.image, tiles)), tiles=tiles)
            bar.advance(task)
    return jax.device_get(scoring.finalize(detector, state))


def strip(detector: jaxdefect.Detector, state: Any, image: np.ndarray) -> np.ndarray:
    """input | reconstruction | map side by side, uint8 [H, 3W, 1], the map from its least to its largest value."""
    shown, state = jax.device_put((image[None], state))
    scores = jax.device_get(scoring.detect(detector, state, shown, threshold=jax.device_put(NO_MASK)).scores)
    panels = [image.mean(-1) / 255]
    panels += [scores.reconstruction[0].mean(-1)] if scores.reconstruction is not None else []
    if scores.map is not None:
        low, high = scores.map.min(), scores.map.max()
        panels.append((scores.map[0] - low) / max(high - low, 1e-12))
    return np.round(np.concatenate(panels, 1)[..., None] * 255).astype(np.uint8)
