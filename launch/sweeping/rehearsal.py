"""A dry run: what a sweep would run, in groups that train side by side, and what is trained once for several runs."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from rich.table import Table

from jaxdefect.training import loop
from launch.command.console import console, duration, progress_bar
from launch.run.trained import make_detector
from launch.sweeping import sharing, spec

TIMED_STEPS = 3  # of each group, where they are timed


def rehearse(sweep: spec.Spec, folder: Path, *, timed: bool) -> None:
    """Lists the runs in groups, and how many trainings they take: runs that only score otherwise share one.

    timed: also compiles each group and times a few training steps, which takes as long as compiling does.
    """
    groups = grouped(sweep.runs, lambda one, other: sharing.alike(one.config, other.config))
    trainings = trained_once(sweep.runs)
    opened, total = sharing.Opened(), 0.0
    table = Table("group", "runs", "steps each", *(["s per step"] if timed else []), title=sweep.title)
    with progress_bar() as bar:
        task = bar.add_task("timing  ", total=len(groups) if timed else 0, note="")
        for number, group in enumerate(groups, 1):
            cells = [str(number), str(len(group)), str(group[0].config.train.steps)]
            if timed:
                each = seconds_per_step(group[0].config, opened)
                total += sum(each * run.config.train.steps for run in trainings if run in group)
                cells.append(f"{each:.3f}")
                bar.advance(task)
            table.add_row(*cells)
    for number, group in enumerate(groups, 1):
        console.print(*(f"group {number}  {run.name}" for run in group), sep="\n")
    console.print(table)
    steps = sum(run.config.train.steps for run in trainings)
    said = f"{len(sweep.runs)} runs in {len(groups)} groups would go to {folder}: "
    said += f"{len(trainings)} trainings, {steps} steps"
    took = f"; {duration(total)} one after another on this machine, without compiling, scoring and figures"
    console.print(said + (took if timed else "; --time also times a few steps of each group"))


def grouped(runs: Sequence[spec.Run], same: Any) -> list[list[spec.Run]]:
    """Runs in groups of those that are the same as the first of their group."""
    groups: list[list[spec.Run]] = []
    for run in runs:
        group = next((group for group in groups if same(group[0], run)), None)
        (group.append(run) if group else groups.append([run]))
    return groups


def trained_once(runs: Sequence[spec.Run]) -> list[spec.Run]:
    """The runs that are trained: of those that differ in scoring only, the first, from which the others start."""
    told: dict[str, str] = {}  # by what programs are compiled from: seeds and floats are no part of them

    def program(run: spec.Run) -> str:
        shape = json.dumps(sharing.shape(run.config), default=list)
        return told.get(shape) or told.setdefault(shape, sharing.program(run.config))

    same = lambda one, other: (
        sharing.computed_with(one.config) == sharing.computed_with(other.config) and program(one) == program(other)
    )
    return [group[0] for group in grouped(runs, same)]


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
