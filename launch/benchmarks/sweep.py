"""What a curve of many runs costs, in three ways: `launch.bench --sweep`.

Alphas times seeds, the same steps each: in fresh processes one after another (as a shell loop over a training script
does), in one process one after another with what is compiled shared, and side by side as one population, in both forms
of its convolutions.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from jaxdefect.training import feed, loop, population
from launch.benchmarks import page
from launch.command import configuration, markdown, start
from launch.run.trained import make_detector

ALPHAS = (0.0, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 1.0)
FORMS = ("native", "matmul")


def bench_sweep(config: ConfigDict, *, runs: int, steps: int) -> dict[str, Any]:
    """Seconds for `runs` runs of `steps` steps in each way, the growth with the number of runs, memory."""
    fresh = in_fresh_processes(config, min(runs, 3), steps)
    result: dict[str, Any] = {"runs": runs, "steps": steps, "batch": config.train.batch, "patch": config.train.patch}
    result["fresh processes"] = fresh | {"seconds": fresh["seconds_per_run"] * runs}
    counts = sorted({1, max(1, runs // 4), max(1, runs // 2), runs})
    result["one process"] = [one_after_another(config, count, steps) for count in counts]
    result["peaks"] = {"one process": page.peak_memory()}
    result["population"] = {}
    for form in FORMS:
        result["population"][form] = [side_by_side(config, count, steps, form) for count in counts]
        result["peaks"][f"{form} convolutions"] = page.peak_memory()
    return result


def members(config: ConfigDict, runs: int) -> tuple[Any, feed.Feed, list[jax.Array], list[dict]]:
    """(detector, feed, keys, hyperparams): alphas first, then seeds."""
    made = []
    for run in range(runs):
        varied = config.copy_and_resolve_references()
        varied.settings.alpha = ALPHAS[run % len(ALPHAS)]
        made.append(make_detector(varied))
    images = np.random.default_rng(0).integers(0, 256, (8, 256, 256, config.data.channels), np.uint8)
    source = feed.in_memory(list(images), patch=config.train.patch)
    keys = [jax.random.key(run // len(ALPHAS)) for run in range(runs)]
    return made[0][0], source, keys, [hyperparams for _, hyperparams in made]


def drive(program: loop.Program, steps: int) -> None:
    """Trains and waits."""
    state = program.place(program.init())
    count = min(steps, 50) if program.scans else 1
    for step in range(0, steps, count):
        state, metrics = program.advance(state, step, min(count, steps - step))
    jax.block_until_ready(state)


def one_after_another(config: ConfigDict, runs: int, steps: int) -> dict[str, float]:
    """Compiled once (its first run counts what that takes), then run after run."""
    loop.compile_advance.cache_clear()
    jax.clear_caches()
    detector, source, keys, hyperparams = members(config, runs)
    begun = time.perf_counter()
    ends = []
    for key, of_run in zip(keys, hyperparams, strict=True):
        drive(loop.one_run(detector, source, key=key, batch=config.train.batch, hyperparams=of_run), steps)
        ends.append(time.perf_counter() - begun)
    later = np.diff(ends)
    compiled = ends[0] - float(np.median(later)) if runs > 1 else None
    return {"runs": runs, "seconds": ends[-1], "compile_s": compiled}


def side_by_side(config: ConfigDict, runs: int, steps: int, form: str) -> dict[str, float]:
    """One population; compiling is timed apart, by one step before."""
    jax.clear_caches()
    detector, source, keys, hyperparams = members(config, runs)
    program = population.many_runs(
        detector, source, keys=keys, hyperparams=hyperparams, batch=config.train.batch, form=form
    )  # fmt: skip
    count = min(steps, 50) if program.scans else 1
    begun = time.perf_counter()
    jax.block_until_ready(program.advance(program.place(program.init()), 0, count)[0])
    first = time.perf_counter() - begun
    begun = time.perf_counter()
    drive(program, steps)
    seconds = time.perf_counter() - begun
    compiled = first - seconds * count / steps
    return {"runs": runs, "seconds": seconds + compiled, "compile_s": compiled}


def in_fresh_processes(config: ConfigDict, runs: int, steps: int) -> dict[str, float]:
    """Mean seconds of a process that trains one run, from its start to its end; the first fills the compile cache."""
    words = [sys.executable, "-m", __spec__.name, configuration.to_json(config), str(steps)]
    shared = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # This process may hold the device already.
    seconds = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True, env=shared)
        seconds.append(time.perf_counter() - begun)
    return {"measured": runs, "first_s": seconds[0], "seconds_per_run": float(np.mean(seconds[1:]))}


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
    """The figures as Markdown."""
    in_one_process = {row["runs"]: row for row in result["one process"]}
    base = result["fresh processes"]["seconds_per_run"]
    head, rows = ["runs", "fresh processes", "one process", *(f"population, {form} convolutions" for form in FORMS)], []
    for place, (count, row) in enumerate(in_one_process.items()):
        others = [result["population"][form][place]["seconds"] for form in FORMS]
        fresh = base * count
        rows.append(
            [str(count), f"{fresh:.1f} s", *(f"{s:.1f} s ({fresh / s:.2f}x)" for s in (row["seconds"], *others))]
        )
    table = markdown.table(head, rows)
    last = [in_one_process[result["runs"]], *(result["population"][form][-1] for form in FORMS)]
    compiled = ", ".join("-" if row["compile_s"] is None else f"{row['compile_s']:.1f} s" for row in last)
    memory = "; ".join(
        f"{way} {', '.join(f'{name} {value:.0f} MB' for name, value in peaks.items())}"
        for way, peaks in result["peaks"].items()
    )
    return f"""## A curve of many runs

{result["runs"]} runs (weights of L1 against SSIM times seeds) of {result["steps"]} steps with {result["batch"]} patches
of {result["patch"]} x {result["patch"]}; compiling included, in brackets how many times faster than fresh processes
({result["fresh processes"]["measured"]} of them were timed, with a filled compile cache: {base:.1f} s each).

    {command}

{table}

Compiling (one process, population in each form): {compiled}.
Peak memory so far, each after the ones before it: {memory}.

{machine}
"""


def main(argv: Sequence[str]) -> None:
    """One run in this process: what `in_fresh_processes` starts."""
    start.devices()
    config = configuration.from_dict(json.loads(argv[0]))
    detector, source, keys, hyperparams = members(config, 1)
    drive(
        loop.one_run(detector, source, key=keys[0], batch=config.train.batch, hyperparams=hyperparams[0]), int(argv[1])
    )


if __name__ == "__main__":
    main(sys.argv[1:])
