"""Training and detection of a detector, timed; against PyTorch, as ratios measured in turn."""

import functools
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
TOLD = {"torch": "PyTorch", "torch.compile": "torch.compile"}  # its forms: eager, and compiled


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
    if theirs:
        about = {"version": theirs.version, "threads": theirs.threads, "forms": list(theirs.forms)}
        result["torch"] = about | {"not_compiled": theirs.not_compiled}
    return result


def race(
    ours: Callable[[], Any], theirs: dict[str, Callable[[], Any]], *, turns: int
) -> dict[str, float | list[float]]:
    """Median seconds of each and the median ratios theirs / ours. All are called once before, to warm up."""
    blocking = lambda call: lambda: jax.block_until_ready(call())
    calls = {name: blocking(call) for name, call in {"ours": ours, **theirs}.items()}
    for call in calls.values():
        call()
    seconds = seconds_of_turns(calls, turns)
    figures = {"seconds": statistics.median(seconds["ours"])}
    for name in theirs:
        ratios = sorted(taken / ours_taken for ours_taken, taken in zip(seconds["ours"], seconds[name], strict=True))
        figures[f"{name}_seconds"] = statistics.median(seconds[name])
        figures |= {f"{name}/ours": statistics.median(ratios), f"{name}/ours range": [ratios[0], ratios[-1]]}
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

    figures = race(ours, theirs.trainers(steps) if theirs else {}, turns=turns)
    return {
        "batch": knobs.batch, "patch": knobs.patch, "compile_s": compiled,
        "steps_per_s": steps / figures["seconds"],
        **figures,
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
    shown = noise(batch, side, config.data.channels)
    figures = race(call, theirs.detectors(state, shown, dtype) if theirs else {}, turns=turns)
    return figures | {"ms": 1e3 * figures["seconds"], "compile_s": compiled}


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
    """The figures as Markdown."""
    config = result["config"]
    train_, detect = result["train"], result["detect"]
    forms = result["torch"]["forms"] if "torch" in result else []
    head = ["", "ours", *(cell for name in forms for cell in (TOLD[name], f"{TOLD[name]} / ours (least to greatest)"))]

    def row(what, figures, told):
        cells = [what, told(figures["seconds"])]
        for name in forms:
            low, high = figures[f"{name}/ours range"]
            cells += [told(figures[f"{name}_seconds"]), f"**{figures[f'{name}/ours']:.2f}** ({low:.2f} to {high:.2f})"]
        return cells

    steps = train_["steps_per_s"] * train_["seconds"]
    rows = [row(f"training, {train_['batch']} patches of {train_['patch']} x {train_['patch']}, float32", train_,
                lambda seconds: f"{steps / seconds:.2f} steps/s")]  # fmt: skip
    for name, figures in detect.items():
        what = f"uint8 image of {result['side']} x {result['side']} to mask, {name}"
        rows.append(row(what, figures, lambda seconds: f"{1e3 * seconds:.{0 if seconds > 0.1 else 2}f} ms"))
    table = markdown.table(head, rows)
    compiled = ", ".join(
        f"{name} {figures['compile_s']:.1f} s" for name, figures in {"training": train_, **detect}.items()
    )
    memory = ", ".join(f"{name} {value:.0f} MB" for name, value in result["peak_memory_mb"].items())
    missing = result.get("torch", {}).get("not_compiled")
    left_out = f"\ntorch.compile was left out, for it did not work here: {missing}" if missing else ""
    return f"""## Training and detection

{config["detector"]}, preset {config["preset"]}. Medians of several turns in which ours and theirs alternate; a ratio
above 1 means that ours is faster. Both redraw whole images with the same network (the reconstructions of the same
weights are compared before the race), take the squared residual, filter and threshold it.

    {command}

{table}

Compilation, once per shape and kept on disk between runs: {compiled}.
Peak memory of the whole process{" (both libraries)" if forms else ""}: {memory}.{left_out}

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
        self.forms, self.not_compiled = {"torch": lambda function: function}, ""
        try:
            torch.compile(torch.sin)(torch.ones(2, device=self.device))
            self.forms["torch.compile"] = functools.partial(torch.compile, dynamic=False)
        except Exception as error:  # It needs a C++ compiler, or Triton, and says so in many ways.
            self.not_compiled = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"

    def network(self):
        settings = self.config.settings
        shape = {"stem": settings.stem, "widths": settings.widths, "kernels": settings.kernels}
        return self.bench.ReNetD(**shape, channels=self.config.data.channels).to(self.device)

    def trainers(self, steps: int) -> dict[str, Callable[[], Any]]:
        """What takes so many steps, eager and compiled."""
        settings, knobs = self.config.settings, self.config.train
        batch = self.torch.rand(knobs.batch, self.config.data.channels, knobs.patch, knobs.patch, device=self.device)

        def trainer(loss_of):
            net = self.network().train()
            optimizer = self.torch.optim.Adam(net.parameters(), settings.learning_rate)
            step = functools.partial(
                self.bench.train_step, loss_of, net, optimizer, batch, alpha=settings.alpha, penalty=settings.penalty
            )
            return lambda: float([step() for _ in range(steps)][-1].detach())  # Waits for the device.

        return {name: trainer(form(self.bench.loss_of)) for name, form in self.forms.items()}

    def detectors(self, state: Any, images: np.ndarray, dtype: str) -> dict[str, Callable[[], Any]]:
        """What finds the masks of images, eager and compiled."""
        net = self.network().eval()
        self.bench.load(net, state.state.params, state.state.batch_stats)
        self.check_equal(net, state)
        net = net.to(getattr(self.torch, dtype)).to(memory_format=self.torch.channels_last)
        images = self.torch.tensor(images.transpose(0, 3, 1, 2).copy(), device=self.device)

        def detector(detect):
            def call():
                with self.torch.inference_mode():
                    return int(detect(net, images, box=self.config.settings.box, threshold=THRESHOLD).sum())

            return call

        return {name: detector(form(self.bench.detect)) for name, form in self.forms.items()}

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
