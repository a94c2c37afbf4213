"""A dry run: what a sweep would run, in groups that share what is compiled, and how long it takes."""

import time
from pathlib import Path
from typing import Any

import jax
from rich.table import Table

from jaxdefect.training import loop
from launch.command.console import console, duration, progress_bar
from launch.run.trained import make_detector
from launch.sweeping import sharing, spec

TIMED_STEPS = 3  # of each group in a dry run


def rehearse(sweep: spec.Spec, folder: Path) -> None:
    """Lists the runs in groups that share what is compiled, and times a few training steps of each group."""
    groups: list[list[spec.Run]] = []
    for run in sweep.runs:
        same = next((group for group in groups if sharing.alike(group[0].config, run.config)), None)
        (same.append(run) if same else groups.append([run]))
    table = Table("group", "runs", "steps each", "s per step", "training in all", title=sweep.title)
    opened, total = sharing.Opened(), 0.0
    with progress_bar() as bar:
        task = bar.add_task("timing  ", total=len(groups), note="")
        for number, group in enumerate(groups, 1):
            each = seconds_per_step(group[0].config, opened)
            seconds = each * sum(run.config.train.steps for run in group)
            total += seconds
            steps = str(group[0].config.train.steps)
            table.add_row(str(number), str(len(group)), steps, f"{each:.3f}", duration(seconds))
            bar.advance(task)
    for number, group in enumerate(groups, 1):
        console.print(*(f"group {number}  {run.name}" for run in group), sep="\n")
    console.print(table)
    console.print(
        f"{len(sweep.runs)} runs in {len(groups)} groups would go to {folder}: {duration(total)} of training, one "
        "after another on this machine; compiling, scoring and figures come on top"
    )


def seconds_per_step(config: Any, opened: sharing.Opened) -> float:
    """Of one run's training on this machine, once compiled."""
    detector, hyperparams = make_detector(config)
    source = opened.feed(config, opened.data(config))
    program = loop.one_run(detector, source, key=jax.random.key(0), batch=config.train.batch, hyperparams=hyperparams)
    count = TIMED_STEPS if program.scans else 1
    state, metrics = program.advance(program.place(program.init()), 0, count)
    jax.block_until_ready(metrics)
    begun = time.monotonic()
    for step in range(count, count + TIMED_STEPS, count):
        state, metrics = program.advance(state, step, count)
    jax.block_until_ready(metrics)
    return (time.monotonic() - begun) / TIMED_STEPS
