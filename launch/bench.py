"""Speed and memory of a detector on this machine, as JSON; against PyTorch, as ratios measured in turn.

    python -m launch.bench                        # training at 256 patches of 32 x 32, detection at 1024 x 1024
    python -m launch.bench --against torch        # pip install torch first
    python -m launch.bench --out bench.json train.patch=64
    python -m launch.bench --against torch --page docs/benchmarks.md
    python -m launch.bench --sweep --page docs/benchmarks.md     # a curve of many runs, in three ways
    python -m launch.bench --frechet --page docs/benchmarks.md   # the Frechet Markov distance, beside scipy
    python -m launch.bench --two-stage --page docs/benchmarks.md # surface, defect, both; the 15 x 15 layer
    python -m launch.bench --flaws --page docs/benchmarks.md     # flaws made to order; detection by default
    python -m launch.bench --folder --page docs/benchmarks.md    # images/s from files to masks, beside the bare call
    python -m launch.bench --pruned --page docs/benchmarks.md    # full detectors beside ones of half the channels

Ours and theirs take turns, and the ratio quoted is the median over turns of theirs / ours: above 1, ours is faster.
"""

import shlex
import sys
from pathlib import Path
from typing import Any

import jax

from launch.benchmarks import flaws, folder, frechet, page, pruning, sweep, throughput, two_stage
from launch.command import arguments as command_line
from launch.command import start


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Returns what it prints."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--against", choices=("torch",), help="the same network in eager PyTorch, in turn")
    parser.add_argument("--turns", type=int, default=5, help="timings of each, of which the median counts (default: 5)")
    parser.add_argument("--steps", type=int, help="training steps per turn (default: 10; of --sweep on a GPU: 1000)")
    parser.add_argument("--sweep", action="store_true", help="a curve of many runs instead, in three ways")
    parser.add_argument("--two-stage", action="store_true", help="the two-stage system and its widest layer instead")
    parser.add_argument("--pruned", action="store_true", help="full detectors beside pruned ones instead")
    parser.add_argument("--flaws", action="store_true", help="flaws made to order beside the step they are for instead")
    parser.add_argument("--folder", action="store_true", help="a folder of images, from files to masks, instead")
    parser.add_argument("--frechet", action="store_true", help="the Frechet Markov distance and MAA's scoring instead")
    parser.add_argument("--runs", type=int, help="of --sweep (default: 4; on a GPU: 50)")
    parser.add_argument("--side", type=int, default=1024, help="of the images detected in, pixels (default: 1024)")
    parser.add_argument("--out", type=Path, help="write the JSON here, too")
    parser.add_argument("--page", type=Path, help="write the figures as a Markdown page here")
    arguments = parser.parse_intermixed_args(argv)
    start.devices()
    jax.config.update("jax_enable_compilation_cache", False)  # Or compile times would be those of reading a file.
    config, turns, steps = command_line.from_arguments(arguments), arguments.turns, arguments.steps
    if arguments.sweep:
        accelerated = jax.default_backend() != "cpu"
        runs, steps = arguments.runs or (50 if accelerated else 4), steps or (1000 if accelerated else 10)
        result, section = sweep.bench_sweep(config, runs=runs, steps=steps), sweep.as_section
    elif arguments.two_stage:
        result, section = two_stage.bench_two_stage(turns=turns), two_stage.as_section
    elif arguments.pruned:
        result, section = pruning.bench_prune(turns=turns), pruning.as_section
    elif arguments.flaws:
        result, section = flaws.bench_flaws(turns=turns, side=arguments.side), flaws.as_section
    elif arguments.folder:
        result, section = folder.bench_folder(turns=turns), folder.as_section
    elif arguments.frechet:
        result = frechet.bench_frechet(turns=turns, preset=arguments.preset or "paper")
        section = frechet.as_section
    else:
        against = arguments.against == "torch"
        result = throughput.measure(config, against_torch=against, side=arguments.side, steps=steps or 10, turns=turns)
        section = throughput.as_section
    words = shlex.join(["python", "-m", "launch.bench", *(sys.argv[1:] if argv is None else argv)])
    return page.conclude(result, section, command=words, out=arguments.out, to_page=arguments.page)


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
