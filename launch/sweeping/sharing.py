"""What the runs of a sweep share: the images in hand, a training where only scoring differs, a population."""

import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from jaxdefect import parallel
from jaxdefect.training import feed, loop, population
from jaxdefect.training.checkpoint import Checkpoints
from launch.command import configuration, console, files, stopping
from launch.run import cached_features, feeds
from launch.run.data import Data, open_data, settle
from launch.run.history import TrainingLog, read_history
from launch.run.trained import example_batch, make_detector
from launch.sweeping import plan
from launch.sweeping.plan import Plan, Planned

AFTER_TRAINING = ("score", "threshold", "report")  # sections of a config that training does not read


class Opened:
    """The images of the last run, which are those of the next one, too, if it is of the same group."""

    def __init__(self):
        self._kept: dict[str, tuple[str, Any]] = {}

    def data(self, config: ConfigDict) -> Data:
        return self._once("data", configuration.to_json(config.data), lambda: open_data(config))

    def feed(self, config: ConfigDict, data: Data) -> feed.Feed:
        seed = config.seed if feeds.streams(config, data) else None  # A stream is that of one seed.
        shown = cached_features.identity(make_detector(config)[0].frozen)  # Of the images, if not these themselves.
        which = json.dumps([config.data.to_dict(), config.train.to_dict(), config.detector, seed, shown])
        return self._once("feed", which, lambda: feeds.make_feed(config, data))

    def _once(self, kind: str, which: str, build: Callable[[], Any]) -> Any:
        if self._kept.get(kind, ("", None))[0] != which:
            self._kept.pop(kind, None)  # The old one goes before the new one comes.
            self._kept[kind] = (which, build())
        return self._kept[kind][1]


def start_from_twin(sweep: Plan, run: Planned) -> None:
    """Copies the last checkpoints of a finished run that was trained in the same way, if there is one.

    Then only scoring is left to do: a sweep over box filters or thresholds trains once.
    """
    if (run.folder / "checkpoints").exists():
        return
    for other in sweep.runs:
        if other.status == "finished" and same_training(run.config, other.config):
            copy = run.folder / ".checkpoints"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(other.folder / "checkpoints", copy)
            shutil.copy(other.folder / "history.jsonl", run.folder)
            files.write_json(run.folder / "trained_by.json", other.name)
            copy.rename(run.folder / "checkpoints")
            return


def same_training(one: ConfigDict, other: ConfigDict) -> bool:
    """Whether two configs train the same weights: they differ only in what a training step does not compute with.

    That is judged by the compiler's own text of the step, so no list of such settings is kept anywhere.
    """
    return computed_with(one) == computed_with(other) and program(one) == program(other)


def computed_with(config: ConfigDict) -> dict[str, Any]:
    """The fields that training reads, of the settings only those that are computed with."""
    return {
        name: value
        for name, value in configuration.flat(config)
        if name.split(".")[0] not in (*AFTER_TRAINING, "preset")
        and (not name.startswith("settings.") or isinstance(value, float))
    }


def program(config: ConfigDict) -> str:
    """A digest of what is compiled to draw a state and to take a step."""
    return _step_text(configuration.to_json(settle(config)))


@functools.lru_cache(maxsize=64)
def _step_text(config_json: str) -> str:
    """A digest of what is compiled to draw a state and to take a step."""
    config = configuration.from_dict(json.loads(config_json))
    detector, hyperparams = make_detector(config)
    key, batch = jax.random.key(0), example_batch(config)
    state = jax.eval_shape(detector.init, key, batch, hyperparams)
    init = jax.jit(detector.init).lower(key, batch, hyperparams).as_text()
    step = jax.jit(parallel.on_one_device(detector.step)).lower(state, batch, key).as_text()
    return hashlib.sha256((init + step).encode()).hexdigest()


def alike(one: ConfigDict, other: ConfigDict) -> bool:
    """Whether two runs may train side by side: only seeds and floats among the settings differ."""
    return shape(one) == shape(other)


def shape(config: ConfigDict) -> dict[str, Any]:
    """The fields that are no seed and no float among the settings."""
    return {
        name: value
        for name, value in configuration.flat(config)
        if name != "seed" and not (name.startswith("settings.") and isinstance(value, float))
    }


def runs_at_once(sweep: Plan, config: ConfigDict, opened: Opened) -> int:
    """How many runs like this one train side by side: as many as fit into an accelerator, one on CPU.

    Runs that stop early, or keep the best of their states, or read a stream, go one by one.
    """
    asked = sweep.about.get("side_by_side") or 0
    data = opened.data(config)
    knobs = config.train
    if knobs.patience or knobs.validate or knobs.restore != "last" or feeds.streams(config, data):
        return 1
    if asked or jax.default_backend() == "cpu":
        return max(asked, 1)
    detector, hyperparams = make_detector(config)
    return population.runs_at_once(detector, opened.feed(config, data), hyperparams=hyperparams, batch=knobs.batch)


def train_together(sweep: Plan, runs: Sequence[Planned], opened: Opened) -> None:
    """Trains runs, whose folders are held, as one population, and leaves each with its last checkpoint."""
    runs = [run for run in runs if not (run.folder / "checkpoints").exists()]
    if not runs:
        return
    config = runs[0].config
    knobs, data = config.train, opened.data(config)
    made = [make_detector(run.config) for run in runs]
    program = population.many_runs(
        made[0][0], opened.feed(config, data), keys=[jax.random.key(run.seed) for run in runs],
        hyperparams=[hyperparams for _, hyperparams in made], batch=knobs.batch,
    )  # fmt: skip
    digest = hashlib.sha256(" ".join(run.name for run in runs).encode()).hexdigest()[:12]
    folder = sweep.folder / "populations" / digest
    checkpoints = Checkpoints(folder)
    losses = {}
    with console.progress_bar() as bar:
        written = [TrainingLog(run.folder, steps=knobs.steps, bar=bar if run is runs[0] else None) for run in runs]

        def on_log(step, metrics, states):
            del states  # They stay on the devices.
            losses.update(enumerate(metrics["loss"]))
            for place, log in enumerate(written):
                log(step, {name: values[place] for name, values in metrics.items()})

        with stopping.deferred() as stop:
            fit = loop.fit(
                program, steps=knobs.steps, log_every=knobs.log_every, save_every=knobs.save_every,
                checkpoints=checkpoints, on_step=written[0].step, on_log=on_log, stop=stop,
            )  # fmt: skip
        states = jax.device_get(fit.state)
        for log in written:
            log.close()
    checkpoints.close()
    for place, run in enumerate(runs):
        _keep(run, population.nth_run(states, place), fit.step, read_history(run.folder / "history.jsonl")[0][-1])
    shutil.rmtree(folder, ignore_errors=True)


def _keep(run: Planned, state: Any, step: int, last: dict[str, float]) -> None:
    if not np.isfinite(last["loss"]):
        plan.note_failure(run, loop.Diverged(f"training diverged by step {step}: {last}; lower the learning rate"))
        return
    checkpoints = Checkpoints(run.folder / "checkpoints")
    checkpoints.save(step, state, loss=last["loss"], progress={"best": last["loss"], "waited": 0})
    checkpoints.close()
