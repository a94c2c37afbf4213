"""What flaws made to order cost a training step, and what detection costs by default and with the published network.

`launch.bench --flaws` runs it.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdefect import parallel, scoring
from jaxdefect.detector import Batch
from jaxdefect.flaws.kinds import KINDS
from jaxdefect.training import feed, loop
from launch.benchmarks.throughput import THRESHOLD, noise
from launch.command import configuration, markdown
from launch.command.timing import in_turn
from launch.run.data import settle
from launch.run.feeds import margin_of, with_flaws
from launch.run.trained import make_detector

DETECTORS = (("nsa", "small"), ("renet_d", "paper"), ("renet_d", "tuned"))  # the default, the published, its best score


def bench_flaws(*, turns: int, side: int) -> dict[str, Any]:
    """Milliseconds of a batch with flaws and without, of each kind, of a step, and of detection in side x side."""
    config = settle(configuration.get(*DETECTORS[0]))
    knobs = config.train
    plain = feed.in_memory(list(noise(8, 256, config.data.channels)), patch=knobs.patch, margin=margin_of(config))
    feeds = {"none": plain, "its flaws": with_flaws(config, plain)}
    feeds |= {kind: feed.corrupted(plain, kinds=(kind,), share=1.0) for kind in KINDS}
    keys = jax.random.split(jax.random.key(0), knobs.batch)
    batches = {name: _call(source.make_batch, source.inputs(0), keys) for name, source in feeds.items()}
    seconds = in_turn(batches | {"step": _step(config, feeds["its flaws"], keys)}, turns)
    detection = in_turn({" ".join(which): _detect(*which, side=side) for which in DETECTORS}, turns)
    return {
        "batch": knobs.batch, "patch": knobs.patch, "side": side, "ms": {name: 1e3 * s for name, s in seconds.items()},
        "detection_ms": {name: 1e3 * s for name, s in detection.items()},
    }  # fmt: skip


def _call(function, *arguments):
    """What calls it, compiled and once called."""
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(*arguments))
    return lambda: jax.block_until_ready(compiled(*arguments))


def _step(config, source: feed.Feed, keys: jax.Array):
    """A step from a batch that is there, without making it."""
    detector, hyperparams = make_detector(config)
    state = loop.init(detector, source, key=jax.random.key(0), batch=config.train.batch, hyperparams=hyperparams)
    batch = jax.jit(source.make_batch)(source.inputs(0), keys)
    return _call(parallel.on_one_device(detector.step), state, batch, jax.random.key(1))


def _detect(name: str, preset: str, *, side: int):
    config = settle(configuration.get(name, preset))
    detector, hyperparams = make_detector(config)
    example = scoring.as_float(jnp.asarray(noise(2, config.train.patch, config.data.channels)))
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(example), hyperparams)
    images = jnp.asarray(noise(1, side, config.data.channels))
    call = lambda: jax.block_until_ready(scoring.detect(detector, state, images, threshold=THRESHOLD).mask)
    call()
    return call


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
    """The figures as Markdown."""
    ms, detection = result["ms"], result["detection_ms"]
    flaws = ms["its flaws"] - ms["none"]
    rows = [[name, f"{value:.1f}", f"{max(value - ms['none'], 0) / ms['step']:.2f}"] for name, value in ms.items()
            if name not in ("none", "step")]  # fmt: skip
    (ours, *_), published = detection, "renet_d paper"
    times = [[name, f"{value:.0f}", f"{value / detection[published]:.2f}"] for name, value in detection.items()]
    return f"""## Flaws made to order

A batch of {result["batch"]} patches of {result["patch"]} x {result["patch"]} takes {ms["none"]:.1f} ms without flaws.
What flaws add is told as a share of the step that learns from them ({ours}, {ms["step"]:.0f} ms). "Its flaws" are
several of all kinds to a patch and take {flaws / (flaws + ms["step"]):.0%} of both; the others are one to each patch.

    {command}

{markdown.table(["flaws", "ms a batch", "added / step"], rows)}

From a uint8 image of {result["side"]} x {result["side"]} to a mask:

{markdown.table(["detector", "ms", f"/ {published}"], times)}

{machine}
"""
