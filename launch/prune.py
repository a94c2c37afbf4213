"""Makes a smaller detector of a trained run: fewer channels, trained on, beside the run it came from.

    python -m launch.prune RUN                                     # half the channels, RUN-pruned-50
    python -m launch.prune RUN --keep 0.25 --steps 500 --rank bn_scale --workdir NEW

The new folder is a run as any other. Its pruned.json tells weights, operations, milliseconds and figures before, after
pruning, and after training on. Started again with the same words, it goes on where it was stopped.
"""

import argparse
import contextlib
import functools
import math
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

import jaxdefect
from jaxdefect import population, pruning, scoring
from jaxdefect.checkpoint import Checkpoints
from launch import config as configs
from launch import evaluation, experiment, feeds, report, start
from launch.experiment import Data, Run
from launch.logs import console
from launch.timing import in_turn

TURNS = 7  # timings of each, of which the median counts
FIGURES = (("image", "auroc"), ("image", "ap"), ("pixel", "auroc"), ("pixel", "ap"), ("pixel", "f1"))


class Pruned(NamedTuple):
    """A smaller detector, not trained on yet."""

    run: Run  # not calibrated
    widths: dict[str, tuple[Any, Any]]  # settings that changed: before, after
    left_alone: dict[str, str]  # widths that did not, and why


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Returns what pruned.json holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a trained run; it stays as it is")
    parser.add_argument("--keep", type=float, default=0.5, help="the share of every width that stays (default: 0.5)")
    parser.add_argument("--steps", type=int, default=200, help="the smaller detector is trained on (default: 200)")
    parser.add_argument("--rank", choices=pruning.RANKS, default="magnitude", help="which channels matter most")
    parser.add_argument("--workdir", type=Path, help="the folder of the new run (default: RUN-pruned-<percent>)")
    arguments = parser.parse_args(argv)
    if not 0 < arguments.keep < 1:
        raise ValueError(f"--keep {arguments.keep:g}: give the share of the channels that stay, such as 0.5")
    if arguments.steps < 0:
        raise ValueError(f"--steps {arguments.steps}: give a number of training steps, or 0 for none")
    start.devices()
    run = experiment.load_run(arguments.run)
    folder = arguments.run.absolute()
    workdir = arguments.workdir or folder.with_name(f"{folder.name}-pruned-{100 * arguments.keep:g}")
    if workdir.absolute() == folder:
        raise ValueError(f"--workdir {workdir} is the run itself; give another folder")
    words = {"keep": arguments.keep, "rank": arguments.rank, "steps": arguments.steps}
    result = prune_run(run, folder, workdir, **words)
    console.print(as_text(result), f"\nReport: {workdir / 'report.html'}")
    return result


def prune_run(run: Run, folder: Path, workdir: Path, *, keep: float, rank: str, steps: int) -> dict[str, Any]:
    """Prunes the run of a folder into another one, trains it on, evaluates and reports it. Returns what it wrote."""
    small = prune(run, trained_state(run, folder), keep=keep, rank=rank, steps=steps)
    with experiment.open_workdir(small.run.config, workdir):
        data = experiment.open_data(run.config)
        begin(workdir, small.run.state)
        calibrated = experiment.calibrate(small.run.config, small.run.detector, small.run.state, data)
        figures = {"before": figures_of(run, data), "pruned": figures_of(small.run._replace(state=calibrated), data)}
        source, held_out = feeds.make_feed(small.run.config, data), feeds.held_out(small.run.config, data)
        tuned = experiment.train_run(small.run.config, workdir, data, source, held_out)
        figures["tuned"] = picked(evaluation.evaluate(tuned, data, workdir))
        result = {
            "run": str(folder), "keep": keep, "rank": rank, "steps": steps, "widths": small.widths,
            "left_alone": small.left_alone, "figures": figures, "costs": costs({"before": run, "tuned": tuned}, data),
        }  # fmt: skip
        experiment.write_json(workdir / "pruned.json", result)
        report.write_report(workdir)
    return result


def prune(run: Run, state: Any, *, keep: float, rank: str, steps: int) -> Pruned:
    """The smaller detector of a run's trained state, and its config. Raises ValueError where there are no widths."""
    make, batch = jaxdefect.load(run.config.detector), experiment.example_batch(run.config)
    settings = run.config.settings.to_dict()
    offline = settings | ({"weights": ""} if "weights" in settings else {})  # The run carries them.
    planned = pruning.plan(make, offline, batch, keep=keep)
    key = jax.random.key(run.config.seed)
    inner = pruning.prune(planned, make, state.state, batch, rank=rank, key=key)
    widths = {name: (offline[name], value) for name, value in planned.settings.items() if value != offline[name]}
    config = trained_on(run.config, steps)
    for name, (_, value) in widths.items():
        config.settings[name] = value
    detector, numbers = experiment.make_detector(config)
    member = population.Member(jax.tree.map(np.asarray, numbers), inner)
    return Pruned(Run(config, detector, jax.device_get(member), {}), widths, planned.left_alone)


def trained_on(config: ConfigDict, steps: int) -> ConfigDict:
    """The config with so many steps; settings that follow the steps in its preset follow here, too."""
    changed = config.copy_and_resolve_references()
    preset = configs.get(config.detector, config.preset)
    before = dict(configs.flat(preset))
    preset.train.steps = 1 + preset.train.steps
    followers = [field for field, value in configs.flat(preset) if value != before[field]]
    for field in followers:
        if field != "train.steps" and field.startswith("settings."):
            configs.set_field(changed, field, max(steps, 1))
    changed.train.steps = steps
    return changed


def trained_state(run: Run, folder: Path) -> Any:
    """What training left, before it was calibrated: calibration is done again. Raises FileNotFoundError without it."""
    place = folder / "checkpoints"
    if not place.is_dir():
        raise FileNotFoundError(f"{folder} has no folder checkpoints, which training goes on from; train it again")
    with contextlib.closing(Checkpoints(place)) as checkpoints:
        step = checkpoints.best() if run.config.train.restore == "best" else None
        found = checkpoints.restore(run.state, step=step)
    if found is None:
        raise FileNotFoundError(f"{place} is empty; train again with launch.train --workdir {folder}")
    return found[1]


def begin(workdir: Path, state: Any) -> None:
    """Writes the checkpoint that training starts from, where it has not started yet."""
    with contextlib.closing(Checkpoints(workdir / "checkpoints")) as checkpoints:
        if not checkpoints.steps():
            progress = {"best": sys.float_info.max, "waited": 0}
            checkpoints.save(0, state, loss=sys.float_info.max, progress=progress)


def figures_of(run: Run, data: Data) -> dict[str, float | None]:
    """The headline figures of a calibrated detector; nothing is kept on disk."""
    with tempfile.TemporaryDirectory() as folder:
        return picked(evaluation.evaluate(run, data, Path(folder), show=()))


def picked(result: dict[str, Any]) -> dict[str, float | None]:
    """{"image auroc": ..., ...} of an evaluation; None where it has none."""
    return {f"{level} {name}": result["figures"].get(level, {}).get(name) for level, name in FIGURES}


def costs(runs: dict[str, Run], data: Data) -> dict[str, dict[str, float | None]]:
    """Of each run: weights and their bytes, GFLOP and milliseconds of a test picture, measured in turn."""
    tiles = experiment.tiles_of(next(iter(runs.values())).config, experiment.sizes_of(data.seen.test))
    image = experiment.on_canvas(data.seen.test[0].image, tiles)
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
    own = [leaf for path, leaf in paths if "params" in (text := jax.tree_util.keystr(path)) and "opt_state" not in text]
    return {"weights": sum(leaf.size for leaf in own), "bytes": sum(leaf.nbytes for leaf in own)}


def gflop(run: Run, image: np.ndarray, tiles: Any) -> float | None:
    """10^9 operations for one picture as the compiler counts them; None where it does not."""
    lowered = scoring.detect.lower(run.detector, run.state, image, threshold=1.0, tiles=tiles)
    flops = (lowered.cost_analysis() or {}).get("flops", math.nan)
    return flops / 1e9 if math.isfinite(flops) else None


def as_text(result: dict[str, Any]) -> str:
    """The result as lines of a table."""
    number = lambda value: "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
    widths = [f"settings.{name} {old} -> {new}" for name, (old, new) in result["widths"].items()]
    alone = [f"settings.{name} is left alone: {why}" for name, why in result["left_alone"].items()]
    lines = [f"{'':14}{'before':>12}{'pruned':>12}{'trained on':>12}"]
    for name in result["figures"]["before"]:
        cells = [number(result["figures"][stage][name]) for stage in ("before", "pruned", "tuned")]
        lines.append(f"{name:14}" + "".join(f"{cell:>12}" for cell in cells))
    for name in result["costs"]["before"]:
        before, after = (number(result["costs"][stage][name]) for stage in ("before", "tuned"))
        lines.append(f"{name:14}{before:>12}{'':12}{after:>12}")
    return "\n".join([*widths, *alone, *lines])


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
