"""Does the runs of a sweep that nobody else is at: takes one, trains, evaluates, takes the next.

    python -m launch.sweeping.worker SWEEP_FOLDER

Any number of these, on any machines that share the folder, do a sweep together: a run is held by a lock that falls with
its process, and whoever takes it next goes on from its last checkpoint.
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax

from data_pipeline import Split
from launch.command import files, start
from launch.command.console import duration, progress_bar, say
from launch.page.run_page import write_report
from launch.run import feeds
from launch.run.evaluation import evaluate
from launch.run.folder import open_workdir
from launch.run.training import train_run
from launch.sweeping import plan, results, sharing
from launch.sweeping.plan import Plan, Planned
from launch.sweeping.written import write_results

SHOWN = 4  # images of each run that the sweep's page sets side by side, one of them good
SPARING = 20  # times as long as the sweep's page takes to write, it is left as it is


def main(argv: list[str] | None = None) -> Plan:
    """Returns the plan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder of a sweep")
    arguments = parser.parse_args(argv)
    start.devices()
    sweep = work(arguments.folder)
    write_results(arguments.folder)
    return sweep


def work(folder: Path) -> Plan:
    """Does what is left of a sweep and not held by another process. A run that fails is noted, and the next one taken.

    Each run gets its page, and the sweep's page is written anew after it, sparing time where that takes long. Raises
    OSError if nothing can be written (a full disk, say): the next run would fail, too.
    """
    sweep = plan.read(folder)
    if jax.process_count() > 1:
        raise ValueError("a worker of a sweep is one process; for several, use launch.sweep --launcher local or slurm")
    opened, held_by_others, ended, begun = sharing.Opened(), set(), 0, time.monotonic()
    next_page = begun
    with progress_bar() as bar:
        done = len(sweep.runs) - len(sweep.left())
        task = bar.add_task("sweep   ", total=len(sweep.runs), completed=done, note="")
        while left := [run for run in sweep.left() if run.name not in held_by_others]:
            with take(sweep, left, opened, held_by_others) as taken:
                for run in taken:
                    do(sweep, run, opened)
                    ended += 1
                    unfinished = len(sweep.left())
                    remaining = duration((time.monotonic() - begun) / ended * unfinished)
                    tell(sweep, run, remaining)
                    bar.update(task, completed=len(sweep.runs) - unfinished)
                    if (now := time.monotonic()) >= next_page:
                        with contextlib.suppress(ValueError):  # A damaged result is told at the end, not in midst.
                            write_results(folder)
                        next_page = time.monotonic() + SPARING * (time.monotonic() - now)
    return sweep


@contextlib.contextmanager
def take(sweep: Plan, left: Sequence[Planned], opened: sharing.Opened, held_by_others: set[str]) -> Iterator[list]:
    """Holds the next run, or the next ones that train side by side, which they have done when this returns."""
    with contextlib.ExitStack() as held:
        taken: list[Planned] = []
        at_once = 1
        # A run that kills its worker (out of memory, say) must not keep the others from being done.
        for run in sorted(left, key=lambda run: run.tries):
            if taken and not sharing.alike(run.config, taken[0].config):
                continue
            try:
                held.enter_context(open_workdir(run.config, run.folder))
            except files.InUse:
                held_by_others.add(run.name)
                continue
            if run.status != "unfinished":
                continue  # Another worker ended it a moment ago.
            run.count_try()
            taken.append(run)
            if len(taken) == 1:
                at_once = _attempt([run], lambda run=run: sharing.runs_at_once(sweep, run.config, opened)) or 1
            if len(taken) >= at_once:
                break
        for run in taken:
            sharing.start_from_twin(sweep, run)
        if len(taken) > 1:
            _attempt(taken, lambda: sharing.train_together(sweep, taken, opened))
        yield taken


def do(sweep: Plan, run: Planned, opened: sharing.Opened) -> None:
    """Trains, or goes on training, evaluates and reports one run, whose folder is held."""

    def work():
        data = opened.data(run.config)
        trained = train_run(
            run.config, run.folder, data, opened.feed(run.config, data), feeds.held_out(run.config, data)
        )
        evaluate(trained, data, run.folder, show=images_shown(data.converted.test))

    if run.status == "unfinished":
        _attempt([run], work)
    if run.status == "finished":
        write_report(run.folder)


def _attempt(runs: Sequence[Planned], work: Callable[[], Any]) -> Any:
    """Calls work(). What it raises is noted as a failure of these runs, unless the machine is at fault and not they."""
    try:
        return work()
    except Exception as error:
        # Images that are not there are one run's trouble; a disk that can't be written is everybody's.
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise OSError(f"run {runs[0].name}: {error}; finished runs stay") from error
        for run in runs:
            plan.note_failure(run, error)


def images_shown(test: Split) -> list[str]:
    """The same few images for every run: the first of each kind of defect, then the next ones; last a good one."""
    good = [record.id for record in test.records if not record.label][:1]
    defective = [record for record in test.records if record.label]
    firsts = {record.kind: record for record in reversed(defective)}
    ordered = sorted(defective, key=lambda record: record is not firsts[record.kind])
    return [record.id for record in ordered[: SHOWN - len(good)]] + good


def tell(sweep: Plan, run: Planned, remaining: str) -> None:
    """One line for a run that has ended."""
    ended = len(sweep.runs) - len(sweep.left())
    headline = results.headline(sweep, run)
    say(f"{ended}/{len(sweep.runs)}  {run.name}  {headline}" + (f"  {remaining} left" if sweep.left() else ""))


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
