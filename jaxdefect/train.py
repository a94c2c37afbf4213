"""The one training loop, for every method."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxdefect import parallel
from jaxdefect.checkpoint import Checkpoints
from jaxdefect.detector import Detector, State
from jaxdefect.feed import Feed


class Fit(NamedTuple):
    state: State
    step: int  # steps taken
    best_loss: float
    stopped_early: bool


class Diverged(ArithmeticError):
    """The loss is no number any more."""


def init(detector: Detector, feed: Feed, *, key: jax.Array, batch: int) -> State:
    """A fresh state, drawn from the key and the first batch; the same for any number of devices."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(key, 0), jnp.arange(batch))
    example = feed.cut(jax.tree.map(whole, feed.inputs(0)) if feed.split else feed.inputs(0), keys)
    return jax.jit(detector.init)(jax.random.fold_in(key, 1), example)


def whole(split_array: jax.Array) -> np.ndarray:
    """[local devices, b, ...] -> [B, ...]: undoes `parallel.split`."""
    array = np.asarray(split_array)
    return array.reshape(-1, *array.shape[2:])


def fit(
    detector: Detector,
    feed: Feed,
    *,
    key: jax.Array,
    steps: int,
    batch: int,
    log_every: int,
    save_every: int,
    patience: int = 0,
    checkpoints: Checkpoints | None = None,
    on_log: Callable[[int, dict[str, float], State], None] = lambda step, metrics, state: None,
) -> Fit:
    """Trains a detector, resuming from the last sound checkpoint if there is one.

    batch: samples per step over all devices and processes. Every `log_every` steps the metrics averaged since the last
    time go to `on_log(step, metrics, state)`; every `save_every` steps (a multiple of it) a checkpoint is written.
    patience: stop after so many loggings without a lower loss; 0 never stops. The batch of step k depends on (key, k)
    only, so a resumed run equals an unbroken one bit for bit. Raises Diverged when the loss is NaN or infinite.
    """
    parallel.check_batch(batch)
    if log_every < 1 or save_every % log_every:
        raise ValueError(f"train.save_every = {save_every} must be a multiple of train.log_every = {log_every}; "
                         f"use {max(1, save_every // max(log_every, 1)) * max(log_every, 1)}")  # fmt: skip
    fresh = init(detector, feed, key=key, batch=batch)
    found = checkpoints.restore(fresh) if checkpoints else None
    done, state, progress = found or (0, fresh, {"best": math.inf, "waited": 0})
    state = parallel.replicate(state)
    per_call = steps_per_call(feed, log_every)
    advance = compile_advance(detector, feed, key=key, batch=batch, count=per_call)
    best, waited = progress["best"], progress["waited"]
    recent: list[Any] = []
    while done < steps and not 0 < patience <= waited:
        count = min(per_call, steps - done)
        if count != per_call:  # The last, shorter call.
            advance = compile_advance(detector, feed, key=key, batch=batch, count=count)
        state, metrics = advance(state, feed.inputs(done), done)
        done += count
        recent.append(metrics)
        if done % log_every and done < steps:
            continue
        averaged = {name: float(np.mean([m[name] for m in jax.device_get(recent)])) for name in metrics}
        recent.clear()
        _check_finite(averaged, done, checkpoints)
        waited = 0 if averaged["loss"] < best else waited + 1
        best = min(best, averaged["loss"])
        on_log(done, averaged, state)
        last = done >= steps or 0 < patience <= waited
        if checkpoints and (done % save_every == 0 or last):
            checkpoints.save(done, state, loss=averaged["loss"], progress={"best": best, "waited": waited})
    return Fit(state, done, best, done < steps)


def steps_per_call(feed: Feed, log_every: int) -> int:
    """How many steps one compiled call takes: all between two loggings on an accelerator, one on CPU.

    Convolutions inside a loop lose their threads on CPU: a weight gradient went from 18 to 528 ms.
    """
    return 1 if feed.split or jax.default_backend() == "cpu" else log_every


def compile_advance(
    detector: Detector, feed: Feed, *, key: jax.Array, batch: int, count: int
) -> Callable[[State, Any, int], tuple[State, dict[str, jax.Array]]]:
    """`count` steps from `step` on as one compiled call over all devices: (state, inputs, step) -> (state, metrics)."""
    per_device = batch // jax.device_count()

    def one(state, inputs, step):
        cut_key, step_key = jax.random.split(jax.random.fold_in(key, step + 2))  # 0 and 1 drew the state.
        return detector.step(state, feed.cut(inputs, parallel.sample_keys(cut_key, per_device)), step_key)

    def many(state, inputs, step):
        state, metrics = lax.scan(lambda s, i: one(s, inputs, step + i), state, jnp.arange(count))
        return state, jax.tree.map(jnp.mean, metrics)

    return parallel.compile_step(one if count == 1 else many, split_inputs=feed.split)


def _check_finite(metrics: dict[str, float], step: int, checkpoints: Checkpoints | None) -> None:
    bad = {name: value for name, value in metrics.items() if not math.isfinite(value)}
    if bad:
        saved = checkpoints.steps() if checkpoints else []
        kept = f"the checkpoint of step {saved[-1]} is kept" if saved else "no checkpoint was written before it"
        raise Diverged(f"training diverged by step {step}: {bad}; {kept}. Lower the learning rate and start again")
