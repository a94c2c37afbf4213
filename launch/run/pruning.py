"""A smaller detector of a trained run: fewer channels, trained on, in a folder of its own."""

import contextlib
import functools
import math
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxdefect
from jaxdefect import scoring
from jaxdefect.pruning import structured
from jaxdefect.training import population
from jaxdefect.training.checkpoint import Checkpoints
from launch.command import files
from launch.command.timing import in_turn
from launch.run import feeds
from launch.run.data import Data, open_data
from launch.run.evaluation import evaluate, evaluation_of
from launch.run.folder import open_workdir, training_command
from launch.run.prediction import on_canvas, predictor_of
from launch.run.trained import Run, example_batch, make_detector, settings_of, without_weights
from launch.run.training import calibrate, train_run

TURNS = 7  # timings of each, of which the median counts
FIGURES = (("image", "auroc"), ("image", "ap"), ("pixel", "auroc"), ("pixel", "ap"), ("pixel", "f1"))


class Pruned(NamedTuple):
    """A smaller detector, not trained on yet."""

    run: Run  # not calibrated
    widths: dict[str, tuple[Any, Any]]  # settings that changed: before, after
    skipped: dict[str, str]  # widths that did not, and why


def prune_run(run: Run, folder: Path, workdir: Path, *, keep: float, rank: str, steps: int) -> dict[str, Any]:
    """Prunes the run of a folder into another one, trains it on, evaluates and reports it. Returns what it wrote."""
    small = prune(run, trained_state(run, folder), keep=keep, rank=rank, steps=steps)
    with open_workdir(small.run.config, workdir):
        data = open_data(run.config)
        begin(workdir, small.run.state)
        calibrated = calibrate(small.run.config, small.run.detector, small.run.state, data)
        figures = {"before": figures_of(run, data), "pruned": figures_of(small.run._replace(state=calibrated), data)}
        source, held_out = feeds.make_feed(small.run.config, data), feeds.held_out(small.run.config, data)
        tuned = train_run(small.run.config, workdir, data, source, held_out)
        figures["tuned"] = headline(evaluate(tuned, data, workdir)["figures"])
        result = {
            "run": str(folder), "keep": keep, "rank": rank, "steps": steps, "widths": small.widths,
            "skipped": small.skipped, "figures": figures, "costs": costs({"before": run, "tuned": tuned}, data),
        }  # fmt: skip
        files.write_json(workdir / "pruned.json", result)
    return result


def prune(run: Run, state: Any, *, keep: float, rank: str, steps: int) -> Pruned:
    """The smaller detector of a run's trained state, and its config. Raises ValueError where there are no widths."""
    make, batch = jaxdefect.load(run.config.detector), example_batch(run.config)
    settings = settings_of(without_weights(run.config), run.facts)
    planned = structured.plan(make, settings, batch, keep=keep)
    key = jax.random.key(run.config.seed)
    inner = structured.prune(planned, make, state.state, batch, rank=rank, key=key)
    widths = {name: (settings[name], value) for name, value in planned.settings.items() if value != settings[name]}
    config = run.config.copy_and_resolve_references()
    config.train.steps = steps
    for name, (_, value) in widths.items():
        config.settings[name] = value
    detector, hyperparams = make_detector(config, run.facts)
    small = population.RunState(jax.tree.map(np.asarray, hyperparams), inner)
    return Pruned(Run(config, detector, jax.device_get(small), {}, run.facts), widths, planned.skipped)


def trained_state(run: Run, folder: Path) -> Any:
    """What training left, before it was calibrated: calibration is done again. Raises FileNotFoundError without it."""
    place = folder / "checkpoints"
    if not place.is_dir():
        raise FileNotFoundError(f"{folder} has no folder checkpoints, which training goes on from; train it again")
    with contextlib.closing(Checkpoints(place, read_only=True)) as checkpoints:
        restored = checkpoints.restore(run.state, best=run.config.train.restore == "best")
    if restored is None:
        remedy = training_command(run.config, folder)
        raise FileNotFoundError(f"{place} is empty; train again with: {remedy}")
    return restored[1]


def begin(workdir: Path, state: Any) -> None:
    """Writes the checkpoint that training starts from, where it has not started yet."""
    with contextlib.closing(Checkpoints(workdir / "checkpoints")) as checkpoints:
        if not checkpoints.steps():
            progress = {"best": sys.float_info.max, "waited": 0}
            checkpoints.save(0, state, loss=sys.float_info.max, progress=progress)


def figures_of(run: Run, data: Data) -> dict[str, float | None]:
    """The headline figures of a calibrated detector; nothing is kept on disk."""
    with tempfile.TemporaryDirectory() as folder:
        return headline(evaluation_of(predictor_of(run, data), data, Path(folder)).figures.figures)


def headline(figures: dict[str, Any]) -> dict[str, float | None]:
    """{"image auroc": ..., ...} of an evaluation; None where it has none."""
    return {f"{level} {name}": figures.get(level, {}).get(name) for level, name in FIGURES}


def costs(runs: dict[str, Run], data: Data) -> dict[str, dict[str, float | None]]:
    """Of each run: weights and their bytes, GFLOP and milliseconds of a test image, measured in turn."""
    tiles = predictor_of(next(iter(runs.values())), data).tiles
    image = on_canvas(data.converted.test[0].image, tiles)
    calls = {}
    for name, run in runs.items():
        detect = functools.partial(scoring.detect, run.detector, run.state, image, threshold=1.0, tiles=tiles)
        calls[name] = lambda detect=detect: jax.block_until_ready(detect())
        calls[name]()
    seconds = in_turn(calls, TURNS)
    return {name: weights(run.state.state) | {"gflop": gflop(run, image, tiles), "ms": 1e3 * seconds[name]}
            for name, run in runs.items()}  # fmt: skip


def weights(state: Any) -> dict[str, int]:
    """How many numbers a state has learned, and their bytes; optimisers and statistics of batches do not count."""
    paths = jax.tree_util.tree_leaves_with_path(state)
    learned = [
        leaf for path, leaf in paths if "params" in (text := jax.tree_util.keystr(path)) and "opt_state" not in text
    ]
    return {"weights": sum(leaf.size for leaf in learned), "bytes": sum(leaf.nbytes for leaf in learned)}


def gflop(run: Run, image: np.ndarray, tiles: Any) -> float | None:
    """10^9 operations for one image as the compiler counts them; None where it does not."""
    lowered = scoring.detect.lower(run.detector, run.state, image, threshold=1.0, tiles=tiles)
    flops = (lowered.cost_analysis() or {}).get("flops", math.nan)
    return flops / 1e9 if math.isfinite(flops) else None
