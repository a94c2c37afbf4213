"""Runs a sweep: every setting with every seed, on one machine or a cluster, and writes its page.

    python -m launch.sweep table4 --quick                       # minutes, synthetic images
    python -m launch.sweep table4 --dataset nanotwice --data FOLDER
    python -m launch.sweep table3 --dataset nanotwice,aitex --data FOLDER,FOLDER --seeds 0,1,2,3,4
    python -m launch.sweep my_sweep.py --axis settings.box=3,5,9 train.steps=300
    python -m launch.sweep comparison --dataset nanotwice --data FOLDER --weights squeezenet.h5
    python -m launch.sweep table4 --dry-run                     # what would be run; with --time, how long it takes

Stopped, killed or crashed, the same command goes on: finished runs stay, a cut one resumes from its checkpoint. A run
that fails is kept with its traceback and the others go on; --retry tries failed ones again.
"""

import argparse
import contextlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from launch.command import choices, start
from launch.command.console import console, say
from launch.command.parser import completed
from launch.command.parser import parser as parser_of

if TYPE_CHECKING:  # These take seconds to import, and a command line is parsed without them.
    from launch.sweeping import spec
    from launch.sweeping.plan import Plan


def main(argv: list[str] | None = None) -> Path | None:
    """Returns the page; None after a dry run.

    Raises RuntimeError if runs failed, or are left, as after a cancelled job.
    """
    arguments = parser().parse_intermixed_args(argv)
    from launch.command import files
    from launch.sweeping import plan, spec
    from launch.sweeping.rehearsal import rehearse
    from launch.sweeping.written import write_results

    start.devices()
    split = lambda text: tuple(part.strip() for part in text.split(",")) if text else ()
    sweep = spec.read(
        arguments.sweep, quick=arguments.quick, datasets=split(arguments.dataset), roots=split(arguments.data),
        axes=arguments.axis or (), seeds=whole_numbers(arguments.seeds), overrides=arguments.overrides,
        weights=arguments.weights or "",
    )  # fmt: skip
    folder = Path(arguments.workdir) if arguments.workdir else default_folder(sweep, own_axes=bool(arguments.axis))
    check(sweep)
    if arguments.dry_run:
        rehearse(sweep, folder, timed=arguments.time)
        return None
    words = sys.argv[1:] if argv is None else argv
    with files.locked(folder):
        planned = plan.write(sweep, folder, command=shlex.join(["python", "-m", "launch.sweep", *words]),
                             side_by_side=arguments.side_by_side)  # fmt: skip
        if arguments.retry:
            for run in planned.runs:
                (run.folder / "failed.json").unlink(missing_ok=True)
        plan.clear_damaged(planned)
        tell_start(planned)
        try:
            launch(arguments, planned)
        except BaseException:
            with contextlib.suppress(OSError, ValueError):  # The first error is the one to tell.
                write_results(folder)
            raise
        page = write_results(folder)
    console.print(f"Report: {page}")
    if arguments.launcher == "none":
        return page
    if left := len(planned.left()):
        raise RuntimeError(f"{left} of {len(planned.runs)} runs are not finished; the same command goes on with them")
    if failed := sum(run.status == "failed" for run in planned.runs):
        raise RuntimeError(
            f"{failed} of {len(planned.runs)} runs failed; the same command with --retry tries them again"
        )
    return page


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = parser_of(__doc__)
    names = choices.sweep_names()
    completed(made.add_argument("sweep", help=f"one of {', '.join(names)}, or a file like those in configs/sweeps"),
              lambda **about: names)  # fmt: skip
    made.add_argument("overrides", nargs="*", metavar="field=value", help="a field of all runs, e.g. train.steps=300")
    made.add_argument("--quick", action="store_true", help="the sweep's small size: minutes on two cores")
    made.add_argument("--dataset", help="datasets instead of the synthetic images, one for each kind of images in "
                      "turn, or kind=dataset")  # fmt: skip
    made.add_argument("--data", help="their folders, in the same order (default: $JAXDEFECT_DATA/<dataset>)")
    made.add_argument(
        "--axis", action="append", metavar="field=value,...", help="sweep this instead of the file's axes"
    )
    made.add_argument("--seeds", metavar="0,1,...", help="instead of the file's")
    made.add_argument("--weights", metavar="FILE", help="of the backbone, for the detectors that have one, or random")
    made.add_argument("--workdir", help="the folder of the sweep (default: sweeps/<name>-<dataset>, ...)")
    made.add_argument("--dry-run", action="store_true", help="list runs and groups, run nothing: seconds")
    made.add_argument(
        "--time", action="store_true", help="with --dry-run: time a few training steps of each group, too"
    )
    made.add_argument("--retry", action="store_true", help="try failed runs again")
    made.add_argument("--side-by-side", type=int, default=0, metavar="N",
                      help="runs trained together (default: as many as fit on an accelerator, 1 on CPU)")  # fmt: skip
    made.add_argument("--launcher", choices=("here", "local", "slurm", "none"), default="here",
                      help="this process, worker processes on this machine, a Slurm array job, or none: the plan "
                      "is written and workers are started by hand")  # fmt: skip
    made.add_argument("--workers", type=int, help="of --launcher local (default: one per GPU, or 2) and slurm (4)")
    made.add_argument("--slurm", nargs="*", default=[], metavar="key=value",
                      help="for submitit, e.g. partition=gpu timeout_min=240 gpus_per_node=1")  # fmt: skip
    return made


def whole_numbers(text: str | None) -> tuple[int, ...] | None:
    """ "0,1,2" as numbers; None for None. Raises ValueError for anything else."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError(f"--seeds {text} are not whole numbers; write them like 0,1,2") from None


def default_folder(sweep: "spec.Spec", *, own_axes: bool) -> Path:
    """sweeps/<name>-<axes, if not the sweep's own>-<datasets>-<quick>."""
    axes = [axis.name for axis in sweep.axes] if own_axes else []
    datasets = [part for run in sweep.runs for part in (run.config.data.name, Path(run.config.data.root).name) if part]
    return Path("sweeps") / "-".join(
        [sweep.name, *axes, *dict.fromkeys(datasets), *(["quick"] if sweep.size == "quick" else [])]
    )


def check(sweep: "spec.Spec") -> None:
    """Builds every detector once, so that a bad setting is an error now and not after hours."""
    from launch.run.data import settle
    from launch.run.trained import make_detector

    for run in sweep.runs:
        try:
            make_detector(settle(run.config))
        except (ValueError, TypeError) as error:
            raise ValueError(f"run {run.name}: {error}") from error


def launch(arguments: argparse.Namespace, planned: "Plan") -> None:
    """Does the work in the way asked for."""
    from launch.sweeping import cluster, worker

    if arguments.launcher == "none":
        console.print(f"Workers do it: python -m {worker.__name__} {planned.folder}")
    if arguments.launcher == "none" or not planned.left():
        return
    if arguments.launcher == "here":
        worker.work(planned.folder)
        return
    if arguments.launcher == "local":
        cluster.run_local(planned.folder, workers=arguments.workers)
    else:
        bare = [pair for pair in arguments.slurm if "=" not in pair]
        if bare:
            raise ValueError(f"--slurm {bare[0]!r} is no key=value, e.g. partition=gpu timeout_min=240")
        options = dict(pair.split("=", 1) for pair in arguments.slurm)
        jobs = cluster.submit(planned.folder, workers=arguments.workers or 4, options=options)
        cluster.wait(jobs)


def tell_start(planned: "Plan") -> None:
    """What is there already and what is left."""
    left = len(planned.left())
    failed = sum(run.status == "failed" for run in planned.runs)
    kept = f", {failed} failed before (--retry tries them again)" if failed else ""
    told = "; how long they take is told after the first" if left > 1 else ""
    say(f"{planned.about['title']}: {len(planned.runs)} runs, {left} to do{kept}, in {planned.folder}{told}")


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
