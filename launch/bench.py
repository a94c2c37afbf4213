"""Speed and memory of a detector on this machine, as JSON; against PyTorch, as ratios measured in turn.

    python -m launch.bench                        # training at 256 patches of 32 x 32, detection at 1024 x 1024
    python -m launch.bench --against torch        # pip install torch first
    python -m launch.bench --out bench.json train.patch=64
    python -m launch.bench --against torch --page docs/benchmarks.md
    python -m launch.bench --against anomalib --python anomalib-env/bin/python --turns 1   # its DRAEM and GANomaly
    python -m launch.bench --sweep --page docs/benchmarks.md     # a curve of many runs, in three ways
    python -m launch.bench --frechet --page docs/benchmarks.md   # the Frechet Markov distance, beside scipy
    python -m launch.bench --two-stage --page docs/benchmarks.md # surface, defect, both; the 15 x 15 layer
    python -m launch.bench --flaws --page docs/benchmarks.md     # flaws made to order; detection by default
    python -m launch.bench --start-up --page docs/benchmarks.md  # from a command to its first image or step
    python -m launch.bench --folder --page docs/benchmarks.md    # images/s from files to masks, beside the bare call
    python -m launch.bench --exported --page docs/benchmarks.md  # exported models in onnxruntime beside ours
    python -m launch.bench --exported --trained RUN              # and what int8 costs a trained run in pixel AP
    python -m launch.bench --pruned --page docs/benchmarks.md    # full detectors beside ones of half the channels
    python -m launch.bench --metrics --page docs/benchmarks.md   # exact figures of pixels, on the device
    python -m launch.bench --presets paper --page docs/benchmarks.md  # every detector as published: a step, an image
    python -m launch.bench --everything --page docs/gpu.md       # what a GPU is asked, within 25 minutes

Ours and theirs take turns, and the ratio quoted is the median over turns of theirs / ours: above 1, ours is faster.
"""

import argparse
import json
import math
import shlex
import sys
from pathlib import Path
from typing import Any

from launch.command import start
from launch.command.parser import config_parser


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = config_parser(__doc__)
    made.add_argument("--against", choices=("torch", "anomalib"),
                      help="the same network in eager PyTorch, in turn; or anomalib, by --python")  # fmt: skip
    made.add_argument("--python", type=Path, help="of --against anomalib: the Python of an environment that holds it")
    made.add_argument("--turns", type=int, default=5, help="timings of each, of which the median counts (default: 5)")
    made.add_argument("--steps", type=int, help="training steps per turn (default: 10; of --sweep on a GPU: 1000)")
    made.add_argument("--sweep", action="store_true", help="a curve of many runs instead, in three ways")
    made.add_argument("--two-stage", action="store_true", help="the two-stage system and its widest layer instead")
    made.add_argument("--pruned", action="store_true", help="full detectors beside pruned ones instead")
    made.add_argument("--flaws", action="store_true", help="flaws made to order beside the step they are for instead")
    made.add_argument("--start-up", action="store_true", help="from a command to its first image or step instead")
    made.add_argument("--folder", action="store_true", help="a folder of images, from files to masks, instead")
    made.add_argument("--exported", action="store_true", help="exported models in onnxruntime beside ours instead")
    made.add_argument("--trained", metavar="RUN", action="append", type=Path, default=[],
                      help="of --exported: a run whose pixel AP is compared, too; may be repeated")  # fmt: skip
    made.add_argument("--frechet", action="store_true", help="the Frechet Markov distance and MAA's scoring instead")
    made.add_argument("--metrics", action="store_true", help="exact figures of pixels, on the device, instead")
    made.add_argument("--presets", metavar="PRESET", help="a step and an image of every detector at a preset instead")
    made.add_argument("--everything", action="store_true", help="all that a GPU is asked, to --page, part by part")
    made.add_argument("--minutes", type=float, help="for --everything (default: 25) and --presets (default: no limit)")
    made.add_argument("--runs", type=int, help="of --sweep (default: 4; on a GPU: 50)")
    made.add_argument("--side", type=int, default=1024, help="of the images detected in, pixels (default: 1024)")
    made.add_argument("--out", type=Path, help="write the JSON here, too")
    made.add_argument("--page", type=Path, help="write the figures as a Markdown page here")
    return made


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Returns what it prints."""
    arguments = parser().parse_intermixed_args(argv)
    words = shlex.join(["python", "-m", "launch.bench", *(sys.argv[1:] if argv is None else argv)])
    if arguments.everything:
        return everything(arguments, words)
    import jax

    from launch.benchmarks import (
        exported,
        flaws,
        folder,
        frechet,
        metrics,
        page,
        peers,
        presets,
        pruning,
        start_up,
        sweep,
        throughput,
        two_stage,
    )  # fmt: skip
    from launch.command import arguments as command_line
    from launch.run.data import settle

    start.devices()
    jax.config.update("jax_enable_compilation_cache", False)  # Or compile times would be those of reading a file.
    config, turns, steps = settle(command_line.from_arguments(arguments)), arguments.turns, arguments.steps
    if arguments.against == "anomalib":
        result = peers.bench_peers(config, python=arguments.python, steps=steps, turns=turns)
        section = peers.as_section
    elif arguments.sweep:
        accelerated = jax.default_backend() != "cpu"
        runs, steps = arguments.runs or (50 if accelerated else 4), steps or (1000 if accelerated else 10)
        result, section = sweep.bench_sweep(config, runs=runs, steps=steps), sweep.as_section
    elif arguments.two_stage:
        result, section = two_stage.bench_two_stage(turns=turns), two_stage.as_section
    elif arguments.pruned:
        result, section = pruning.bench_prune(turns=turns), pruning.as_section
    elif arguments.flaws:
        result, section = flaws.bench_flaws(turns=turns, side=arguments.side), flaws.as_section
    elif arguments.start_up:
        result, section = start_up.bench_start_up(turns=turns), start_up.as_section
    elif arguments.folder:
        result, section = folder.bench_folder(turns=turns), folder.as_section
    elif arguments.exported:
        result, section = exported.bench_exported(turns=turns, trained=arguments.trained), exported.as_section
    elif arguments.metrics:
        result, section = metrics.bench_metrics(turns=turns, side=arguments.side), metrics.as_section
    elif arguments.presets:
        section, minutes = presets.as_section, math.inf if arguments.minutes is None else arguments.minutes
        result = presets.bench_presets(
            arguments.presets, steps=steps or (50 if jax.default_backend() != "cpu" else 3), turns=turns,
            minutes=minutes, each=lambda rows: page.keep(rows, section, command=words, to_page=arguments.page),
        )  # fmt: skip
    elif arguments.frechet:
        result = frechet.bench_frechet(turns=turns, preset=arguments.preset or "paper")
        section = frechet.as_section
    else:
        against = arguments.against == "torch"
        result = throughput.measure(config, against_torch=against, side=arguments.side, steps=steps or 10, turns=turns)
        section = throughput.as_section
    return page.conclude(result, section, command=words, out=arguments.out, to_page=arguments.page)


def everything(arguments: argparse.Namespace, words: str) -> dict[str, Any]:
    """All parts, each in a process of its own: this one leaves the device to them."""
    from launch.benchmarks.everything import bench_everything

    if arguments.page is None or arguments.overrides:
        raise ValueError("--everything writes a page, and of fixed sizes; give --page docs/gpu.md and no field=value")
    result = bench_everything(arguments.page, minutes=25 if arguments.minutes is None else arguments.minutes,
                              command=words)  # fmt: skip
    print(json.dumps(result, indent=2))
    return result


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
