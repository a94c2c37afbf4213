"""Training and detection of a detector, timed; against PyTorch, as ratios measured in turn."""

import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from jaxdefect import scoring
from jaxdefect.training import feed, loop
from launch.command import markdown
from launch.command.timing import seconds_of_turns
from launch.run.trained import make_detector

BATCHES = (1, 8)
DTYPES = ("float32", "bfloat16")
THRESHOLD = 0.01


def measure(config: ConfigDict, *, against_torch: bool, side: int, steps: int, turns: int) -> dict[str, Any]:
    """Training and detection of a config; beside PyTorch both see whole images and the plain residual."""
    theirs = None
    if against_torch:
        config.settings.update(block=0, residual="squared")
        theirs = Torch(config)
    result = {"config": config.to_dict(), "side": side}
    result["train"] = bench_train(config, theirs, steps=steps, turns=turns)
    result["detect"] = {
        f"batch {batch}, {dtype}": bench_detect(config, theirs, side=side, batch=batch, dtype=dtype, turns=turns)
        for batch, dtype in itertools.product(BATCHES, DTYPES)
    }
    return result | ({"torch": {"version": theirs.version, "threads": theirs.threads}} if theirs else {})


def race(ours: Callable[[], Any], theirs: Callable[[], Any] | None, *, turns: int) -> dict[str, float]:
    """Median seconds of each and the median ratio theirs / ours. Both are called once before, to warm up."""
    blocking = lambda call: lambda: jax.block_until_ready(call())
    calls = {name: blocking(call) for name, call in (("ours", ours), ("torch", theirs)) if call}
    for call in calls.values():
        call()
    seconds = seconds_of_turns(calls, turns)
    figures = {"seconds": statistics.median(seconds["ours"])}
    if theirs:
        ratios = sorted(torch / ours_taken for ours_taken, torch in zip(seconds["ours"], seconds["torch"], strict=True))
        figures["torch_seconds"] = statistics.median(seconds["torch"])
        figures |= {"torch/ours": statistics.median(ratios), "torch/ours range": [ratios[0], ratios[-1]]}
    return figures


def noise(count: int, side: int, channels: int) -> np.ndarray:
    """uint8 [N, side, side, C]."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)


def bench_train(config: ConfigDict, theirs: "Torch | None", *, steps: int, turns: int) -> dict[str, Any]:
    """Steps per second over all devices, cutting patches included."""
    knobs = config.train
    detector, hyperparams = make_detector(config)
    source = feed.in_memory(list(noise(8, 256, config.data.channels)), patch=knobs.patch)
    program = loop.one_run(detector, source, key=jax.random.key(0), batch=knobs.batch, hyperparams=hyperparams)
    state = program.place(program.init())
    count = steps if program.scans else 1
    begun = time.perf_counter()
    held = [jax.block_until_ready(program.advance(state, 0, count))[0]]
    compiled = time.perf_counter() - begun

    def ours():
        for step in range(0, steps, count):
            held[0], metrics = program.advance(held[0], step, count)
        return metrics

    figures = race(ours, theirs and theirs.trainer(steps), turns=turns)
    return {
        "batch": knobs.batch, "patch": knobs.patch, "compile_s": compiled,
        "steps_per_s": steps / figures["seconds"],
        **({"torch_steps_per_s": steps / figures["torch_seconds"]} if theirs else {}), **figures,
    }  # fmt: skip


def bench_detect(
    config: ConfigDict, theirs: "Torch | None", *, side: int, batch: int, dtype: str, turns: int
) -> dict[str, Any]:
    """Milliseconds from uint8 images of side x side to masks."""
    config = config.copy_and_resolve_references()
    config.settings.dtype = dtype
    detector, hyperparams = make_detector(config)
    images = jnp.asarray(noise(batch, side, config.data.channels))
    example = scoring.as_float(jnp.asarray(noise(2, config.train.patch, config.data.channels)))
    state = jax.jit(detector.init)(jax.random.key(0), feed.Batch(example), hyperparams)
    call = lambda: scoring.detect(detector, state, images, threshold=THRESHOLD).mask
    begun = time.perf_counter()
    jax.block_until_ready(call())
    compiled = time.perf_counter() - begun
    figures = race(
        call, theirs and theirs.detector(state, noise(batch, side, config.data.channels), dtype), turns=turns
    )
    figures |= {"ms": 1e3 * figures["seconds"], "compile_s": compiled}
    return figures | ({"torch_ms": 1e3 * figures["torch_seconds"]} if theirs else {})


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
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
        rows.append(row(f"uint8 image of {result['side']} x {result['side']} to mask, {name}", figures, *times))
    table = markdown.table(head, rows)
    compiled = ", ".join(
        f"{name} {figures['compile_s']:.1f} s" for name, figures in {"training": train_, **detect}.items()
    )
    memory = ", ".join(f"{name} {value:.0f} MB" for name, value in result["peak_memory_mb"].items())
    return f"""## Training and detection

{config["detector"]}, preset {config["preset"]}. Medians of several turns in which ours and theirs alternate; a ratio
above 1 means that ours is faster. Both redraw whole images with the same network (the reconstructions of the same
weights are compared before the race), take the squared residual, filter and threshold it.

    {command}

{table}

Compilation, once per shape and kept on disk between runs: {compiled}.
Peak memory of the whole process{" (both libraries)" if raced else ""}: {memory}.

{machine}
"""


class Torch:
    """The calls to time in PyTorch. Raises ValueError where it is missing or has no such network."""

    def __init__(self, config: ConfigDict):
        try:
            import torch
        except ImportError as error:
            raise ValueError("--against torch needs PyTorch; install it with: pip install torch") from error
        if config.detector != "renet_d" or not config.settings.stem or config.settings.up != "deconv":
            raise ValueError("--against torch knows ReNet-D with a stem and deconvolutions only; use the preset paper")
        from launch.benchmarks import torch_renet_d

        self.torch, self.bench, self.config = torch, torch_renet_d, config
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
        """Raises ValueError unless both networks redraw an image alike: a race of different networks says nothing."""
        image = noise(1, 64, self.config.data.channels)
        detector, _ = make_detector(self.config)
        ours = detector.score(state, scoring.as_float(jnp.asarray(image))).reconstruction
        mirrored = self.torch.tensor(image[:, ::-1, ::-1].transpose(0, 3, 1, 2).copy() / np.float32(255))
        with self.torch.inference_mode():
            theirs = net(mirrored.to(self.device)).cpu().numpy().transpose(0, 2, 3, 1)[:, ::-1, ::-1]
        gap = float(np.abs(np.asarray(ours) - theirs).max())
        if gap > 1e-4:
            raise ValueError(f"the two networks differ by {gap:.1e} in a reconstruction; they must be the same")
