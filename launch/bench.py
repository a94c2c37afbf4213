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

import contextlib
import itertools
import json
import resource
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from jaxdefect import feed, scoring, train
from launch import bench_frechet, bench_prune, bench_sweep, bench_two_stage, experiment, start
from launch import config as configs

BATCHES = (1, 8)
DTYPES = ("float32", "bfloat16")
THRESHOLD = 0.01


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Returns what it prints."""
    parser = configs.parser(__doc__)
    parser.add_argument("--against", choices=("torch",), help="the same network in eager PyTorch, in turn")
    parser.add_argument("--turns", type=int, default=5, help="timings of each, of which the median counts (default: 5)")
    parser.add_argument("--steps", type=int, help="training steps per turn (default: 10; of --sweep on a GPU: 1000)")
    parser.add_argument("--sweep", action="store_true", help="a curve of many runs instead, in three ways")
    parser.add_argument("--two-stage", action="store_true", help="the two-stage system and its widest layer instead")
    parser.add_argument("--pruned", action="store_true", help="full detectors beside pruned ones instead")
    parser.add_argument("--frechet", action="store_true", help="the Frechet Markov distance and MAA's scoring instead")
    parser.add_argument("--runs", type=int, help="of --sweep (default: 4; on a GPU: 50)")
    parser.add_argument("--side", type=int, default=1024, help="of the pictures detected in, pixels (default: 1024)")
    parser.add_argument("--out", type=Path, help="write the JSON here, too")
    parser.add_argument("--page", type=Path, help="write the figures as a Markdown page here")
    arguments = parser.parse_intermixed_args(argv)
    start.devices()
    jax.config.update("jax_enable_compilation_cache", False)  # Or compile times would be those of reading a file.
    config = configs.from_arguments(arguments)
    words = shlex.join(["python", "-m", "launch.bench", *(sys.argv[1:] if argv is None else argv)])
    if arguments.sweep:
        return bench_curve(arguments, config, command=words)
    if arguments.two_stage:
        result = bench_two_stage.bench_two_stage(turns=arguments.turns)
        return told(arguments, result, bench_two_stage.as_section, command=words)
    if arguments.pruned:
        return told(arguments, bench_prune.bench_prune(turns=arguments.turns), bench_prune.as_section, command=words)
    if arguments.frechet:
        result = bench_frechet.bench_frechet(turns=arguments.turns, preset=arguments.preset or "paper")
        return told(arguments, result, bench_frechet.as_section, command=words)
    if arguments.against:  # The race is of whole pictures and the plain residual: both sides do the same.
        config.settings.update(block=0, residual="squared")
    theirs = Torch(config) if arguments.against else None
    turns = {"turns": arguments.turns}
    result = {**experiment.environment(), "config": config.to_dict(), "side": arguments.side}
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
        experiment.write_json(arguments.out, result)
    if arguments.page:
        bench_sweep.write_page(arguments.page, as_page(result, command=words))
    return result


def bench_curve(arguments: Any, config: ConfigDict, *, command: str) -> dict[str, Any]:
    """`--sweep`."""
    accelerated = jax.default_backend() != "cpu"
    runs, steps = arguments.runs or (50 if accelerated else 4), arguments.steps or (1000 if accelerated else 10)
    result = bench_sweep.bench_sweep(config, runs=runs, steps=steps)
    return told(arguments, result, bench_sweep.as_section, command=command)


def told(arguments: Any, result: dict[str, Any], as_section: Callable[..., str], *, command: str) -> dict[str, Any]:
    """Prints a result with the machine it was measured on, and writes it where asked. Returns it."""
    result |= experiment.environment() | {"peak_memory_mb": peak_memory()}
    print(json.dumps(result, indent=2))
    if arguments.out:
        experiment.write_json(arguments.out, result)
    if arguments.page:
        bench_sweep.write_page(arguments.page, as_section(result, machine=machine(result), command=command))
    return result


def machine(result: dict[str, Any]) -> str:
    """The hardware and versions of a result in a line."""
    hardware, versions = result["hardware"], result["versions"]
    named = ", ".join(f"{name} {versions[name]}" for name in ("jax", "flax", "torch") if name in versions)
    place = f"{hardware['device']}, {hardware['cpu_cores']} CPU cores, {hardware['machine']}"
    gpu = " Not measured on a GPU." if hardware["platform"] == "cpu" else ""
    return f"{place}; {named}, Python {versions['python']}.{gpu}"


def in_turn(ours: Callable[[], Any], theirs: Callable[[], Any] | None, *, turns: int) -> dict[str, float]:
    """Median seconds of each and the median ratio theirs / ours. Both are called once before, to warm up."""

    def seconds(call):
        begun = time.perf_counter()
        jax.block_until_ready(call())
        return time.perf_counter() - begun

    calls = [ours, theirs] if theirs else [ours]
    for call in calls:
        seconds(call)
    rows = [[seconds(call) for call in calls] for _ in range(turns)]
    figures = {"seconds": statistics.median(row[0] for row in rows)}
    if theirs:
        figures["torch_seconds"] = statistics.median(row[1] for row in rows)
        ratios = sorted(row[1] / row[0] for row in rows)
        figures |= {"torch/ours": statistics.median(ratios), "torch/ours range": [ratios[0], ratios[-1]]}
    return figures


def noise(count: int, side: int, channels: int) -> np.ndarray:
    """uint8 [N, side, side, C]."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)


def bench_train(config: ConfigDict, theirs: "Torch | None", *, steps: int, turns: int) -> dict[str, Any]:
    """Steps per second over all devices, cutting patches included."""
    knobs = config.train
    detector, numbers = experiment.make_detector(config)
    source = feed.resident(list(noise(8, 256, config.data.channels)), patch=knobs.patch)
    program = train.one_run(detector, source, key=jax.random.key(0), batch=knobs.batch, numbers=numbers)
    state = program.place(program.init())
    count = steps if program.scans else 1
    begun = time.perf_counter()
    held = [jax.block_until_ready(program.advance(state, 0, count))[0]]
    compiled = time.perf_counter() - begun

    def ours():
        for step in range(0, steps, count):
            held[0], metrics = program.advance(held[0], step, count)
        return metrics

    figures = in_turn(ours, theirs and theirs.trainer(steps), turns=turns)
    return {
        "batch": knobs.batch, "patch": knobs.patch, "compile_s": compiled,
        "steps_per_s": steps / figures["seconds"],
        **({"torch_steps_per_s": steps / figures["torch_seconds"]} if theirs else {}), **figures,
    }  # fmt: skip


def bench_detect(
    config: ConfigDict, theirs: "Torch | None", *, side: int, batch: int, dtype: str, turns: int
) -> dict[str, Any]:
    """Milliseconds from uint8 pictures of side x side to masks."""
    settings = config.settings.copy_and_resolve_references()
    settings.dtype = dtype
    detector, numbers = experiment.make_detector(ConfigDict({"detector": config.detector, "settings": settings}))
    images = jnp.asarray(noise(batch, side, config.data.channels))
    example = scoring.as_float(jnp.asarray(noise(2, config.train.patch, config.data.channels)))
    state = jax.jit(detector.init)(jax.random.key(0), feed.Batch(example), numbers)
    call = lambda: scoring.detect(detector, state, images, threshold=THRESHOLD).mask
    begun = time.perf_counter()
    jax.block_until_ready(call())
    compiled = time.perf_counter() - begun
    figures = in_turn(
        call, theirs and theirs.detector(state, noise(batch, side, config.data.channels), dtype), turns=turns
    )
    figures |= {"ms": 1e3 * figures["seconds"], "compile_s": compiled}
    return figures | ({"torch_ms": 1e3 * figures["torch_seconds"]} if theirs else {})


def as_page(result: dict[str, Any], *, command: str) -> str:
    """The figures as Markdown."""
    versions, config = result["versions"], result["config"]
    raced = "torch" in versions
    train_, detect = result["train"], result["detect"]
    head = ["", "ours", *(["PyTorch", "PyTorch / ours (least to greatest)"] if raced else [])]

    def row(name, figures, ours, torch):
        cells = [name, ours]
        if raced:
            low, high = figures["torch/ours range"]
            cells += [torch, f"**{figures['torch/ours']:.2f}** ({low:.2f} to {high:.2f})"]
        return cells

    name = f"training, {train_['batch']} patches of {train_['patch']} x {train_['patch']}"
    speeds = (f"{train_.get(key, 0):.2f} steps/s" for key in ("steps_per_s", "torch_steps_per_s"))
    rows = [row(name, train_, *speeds)]
    for name, figures in detect.items():
        times = (f"{figures.get(key, 0):.0f} ms" for key in ("ms", "torch_ms"))
        rows.append(row(f"uint8 picture of {result['side']} x {result['side']} to mask, {name}", figures, *times))
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])
    compiled = ", ".join(
        f"{name} {figures['compile_s']:.1f} s" for name, figures in {"training": train_, **detect}.items()
    )
    memory = ", ".join(f"{name} {value:.0f} MB" for name, value in result["peak_memory_mb"].items())
    return f"""## Training and detection

{config["detector"]}, preset {config["preset"]}. Medians of several turns in which ours and theirs alternate; a ratio
above 1 means that ours is faster. Both redraw whole pictures with the same network (the reconstructions of the same
weights are compared before the race), take the squared residual, filter and threshold it.

    {command}

{table}

Compilation, once per shape and kept on disk between runs: {compiled}.
Peak memory of the whole process{" (both libraries)" if raced else ""}: {memory}.

{machine(result)}
"""


def peak_memory() -> dict[str, float]:
    """MB: the process's peak, and each accelerator's where it is counted."""
    figures = {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    for device in jax.local_devices():
        with contextlib.suppress(KeyError, TypeError):
            figures[str(device)] = device.memory_stats()["peak_bytes_in_use"] / 2**20
    return figures


class Torch:
    """The calls to time in PyTorch. Raises ValueError where it is missing or has no such network."""

    def __init__(self, config: ConfigDict):
        try:
            import torch
        except ImportError as error:
            raise ValueError("--against torch needs PyTorch; install it with: pip install torch") from error
        if config.detector != "renet_d" or not config.settings.stem or config.settings.up != "deconv":
            raise ValueError("--against torch knows ReNet-D with a stem and deconvolutions only; use the preset paper")
        from launch import bench_torch

        self.torch, self.bench, self.config = torch, bench_torch, config
        self.device = "cuda" if torch.cuda.is_available() and jax.default_backend() == "gpu" else "cpu"
        self.version, self.threads = torch.__version__, torch.get_num_threads()

    def network(self):
        settings = self.config.settings
        shape = {"stem": settings.stem, "widths": settings.widths, "kernels": settings.kernels}
        return self.bench.ReNetD(**shape, channels=self.config.data.channels).to(self.device)

    def trainer(self, steps: int) -> Callable[[], Any]:
        settings, knobs = self.config.settings, self.config.train
        net = self.network().train()
        optimizer = self.torch.optim.Adam(net.parameters(), settings.learning_rate)
        batch = self.torch.rand(knobs.batch, self.config.data.channels, knobs.patch, knobs.patch, device=self.device)

        def call():
            for _ in range(steps):
                loss = self.bench.train_step(net, optimizer, batch, alpha=settings.alpha, penalty=settings.penalty)
            return float(loss.detach())  # Waits for the device.

        return call

    def detector(self, state: Any, images: np.ndarray, dtype: str) -> Callable[[], Any]:
        net = self.network().eval()
        self.bench.load(net, state.state.params, state.state.batch_stats)
        self.check_equal(net, state)
        net = net.to(getattr(self.torch, dtype)).to(memory_format=self.torch.channels_last)
        images = self.torch.tensor(images.transpose(0, 3, 1, 2).copy(), device=self.device)
        box = self.config.settings.box
        return lambda: int(self.bench.detect(net, images, box=box, threshold=THRESHOLD).sum())

    def check_equal(self, net, state: Any) -> None:
        """Raises ValueError unless both networks redraw a picture alike: a race of different networks says nothing."""
        picture = noise(1, 64, self.config.data.channels)
        detector, _ = experiment.make_detector(self.config)
        ours = detector.score(state, scoring.as_float(jnp.asarray(picture))).reconstruction
        mirrored = self.torch.tensor(picture[:, ::-1, ::-1].transpose(0, 3, 1, 2).copy() / np.float32(255))
        with self.torch.inference_mode():
            theirs = net(mirrored.to(self.device)).cpu().numpy().transpose(0, 2, 3, 1)[:, ::-1, ::-1]
        gap = float(np.abs(np.asarray(ours) - theirs).max())
        if gap > 1e-4:
            raise ValueError(f"the two networks differ by {gap:.1e} in a reconstruction; they must be the same")


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
