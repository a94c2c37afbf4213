"""Speed and memory of a detector on this machine, as JSON; against PyTorch, as ratios measured in turn.

    python -m launch.bench                        # training at 256 patches of 32 x 32, detection at 1024 x 1024
    python -m launch.bench --against torch        # pip install torch first
    python -m launch.bench --out bench.json train.patch=64
    python -m launch.bench --against torch --page docs/benchmarks.md
    python -m launch.bench --sweep --page docs/benchmarks.md     # a curve of many runs, in three ways
    python -m launch.bench --frechet --page docs/benchmarks.md   # the Frechet Markov distance, beside scipy
    python -m launch.bench --two-stage --page docs/benchmarks.md # surface, defect, both; the 15 x 15 layer
    python -m launch.bench --pruned --page docs/benchmarks.md    # full detectors beside ones of half the channels

Ours and theirs take turns, and the ratio quoted is the median over turns of theirs / ours: above 1, ours is faster.
"""

import itertools
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from launch.benchmarks import frechet, page, pruning, sweep, two_stage
from launch.benchmarks.page import peak_memory
from launch.benchmarks.throughput import BATCHES, DTYPES, Torch, as_page, bench_detect, bench_train
from launch.command import arguments as command_line
from launch.command import files, start
from launch.command.environment import environment


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Returns what it prints."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--against", choices=("torch",), help="the same network in eager PyTorch, in turn")
    parser.add_argument("--turns", type=int, default=5, help="timings of each, of which the median counts (default: 5)")
    parser.add_argument("--steps", type=int, help="training steps per turn (default: 10; of --sweep on a GPU: 1000)")
    parser.add_argument("--sweep", action="store_true", help="a curve of many runs instead, in three ways")
    parser.add_argument("--two-stage", action="store_true", help="the two-stage system and its widest layer instead")
    parser.add_argument("--pruned", action="store_true", help="full detectors beside pruned ones instead")
    parser.add_argument("--frechet", action="store_true", help="the Frechet Markov distance and MAA's scoring instead")
    parser.add_argument("--runs", type=int, help="of --sweep (default: 4; on a GPU: 50)")
    parser.add_argument("--side", type=int, default=1024, help="of the images detected in, pixels (default: 1024)")
    parser.add_argument("--out", type=Path, help="write the JSON here, too")
    parser.add_argument("--page", type=Path, help="write the figures as a Markdown page here")
    arguments = parser.parse_intermixed_args(argv)
    start.devices()
    jax.config.update("jax_enable_compilation_cache", False)  # Or compile times would be those of reading a file.
    config = command_line.from_arguments(arguments)
    words = shlex.join(["python", "-m", "launch.bench", *(sys.argv[1:] if argv is None else argv)])
    if arguments.sweep:
        return bench_curve(arguments, config, command=words)
    if arguments.two_stage:
        result = two_stage.bench_two_stage(turns=arguments.turns)
        return page.told(arguments, result, two_stage.as_section, command=words)
    if arguments.pruned:
        return page.told(arguments, pruning.bench_prune(turns=arguments.turns), pruning.as_section, command=words)
    if arguments.frechet:
        result = frechet.bench_frechet(turns=arguments.turns, preset=arguments.preset or "paper")
        return page.told(arguments, result, frechet.as_section, command=words)
    if arguments.against:  # The race is of whole images and the plain residual: both sides do the same.
        config.settings.update(block=0, residual="squared")
    theirs = Torch(config) if arguments.against else None
    turns = {"turns": arguments.turns}
    result = {**environment(), "config": config.to_dict(), "side": arguments.side}
    result["train"] = bench_train(config, theirs, steps=arguments.steps or 10, **turns)
    result["detect"] = {
        f"batch {batch}, {dtype}": bench_detect(config, theirs, side=arguments.side, batch=batch, dtype=dtype, **turns)
        for batch, dtype in itertools.product(BATCHES, DTYPES)
    }
    result["peak_memory_mb"] = peak_memory()
    if theirs:
        result["versions"]["torch"] = theirs.version
        result["threads"] = theirs.threads
    print(json.dumps(result, indent=2))
    if arguments.out:
        files.write_json(arguments.out, result)
    if arguments.page:
        page.write_page(arguments.page, as_page(result, command=words))
    return result


def bench_curve(arguments: Any, config: ConfigDict, *, command: str) -> dict[str, Any]:
    """`--sweep`."""
    accelerated = jax.default_backend() != "cpu"
    runs, steps = arguments.runs or (50 if accelerated else 4), arguments.steps or (1000 if accelerated else 10)
    result = sweep.bench_sweep(config, runs=runs, steps=steps)
    return page.told(arguments, result, sweep.as_section, command=command)


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
