"""The one training loop, for every method."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxdefect import parallel
from jaxdefect.detector import Detector, State
from jaxdefect.training.checkpoint import Checkpoints
from jaxdefect.training.feed import Feed

VALIDATED = 4  # batches of held-out images


class Fit(NamedTuple):
    state: State
    step: int  # steps taken
    best_loss: float
    stopped_early: bool


class Diverged(ArithmeticError):
    """The loss is no number any more."""


class Program(NamedTuple):
    """What `fit` drives, compiled: one run on all devices (`one_run`), or many side by side (`population.many_runs`).

    init: a fresh state. place: puts a state on the devices, where `advance` may overwrite it in place. advance: (state,
    step, count) -> (state, metrics), `count` steps from `step` on. fetch: undoes `place`, of states and of metrics.
    scans: whether several steps may go in one call. validate: state -> the metrics of held-out images, if any.
    """

    init: Callable[[], State]
    place: Callable[[State], State]
    advance: Callable[[State, int, int], tuple[State, dict[str, jax.Array]]]
    fetch: Callable[[State], State]
    scans: bool
    validate: Callable[[State], dict[str, jax.Array]] | None = None


def one_run(
    detector: Detector, feed: Feed, *, key: jax.Array, batch: int, hyperparams: Any = None,
    held_out: Feed | None = None, judge: Callable[[State], dict[str, float]] | None = None,
) -> Program:  # fmt: skip
    """One run on all devices. batch: samples per step over all devices and processes.

    hyperparams: the float settings, see `population.share_program`.

    held_out: images that are not trained on. Their metrics are those a step would have reported that is then not
    taken, averaged over VALIDATED batches, always the same. judge: state -> metrics, `loss` among them, in place of
    these.

    Runs of one detector and one feed share what is compiled, whatever their keys and hyperparams.
    """
    parallel.check_batch(batch)

    def advance(state, step, count):
        compiled = compile_advance(detector, feed.make_batch, feed.sharded, batch, count)
        return compiled(state, feed.inputs(step), step, key)

    def validate(state):
        untaken = compile_judge(detector, held_out.make_batch, held_out.sharded, batch)
        rows = jax.device_get([untaken(state, held_out.inputs(i), i, key)[1] for i in range(VALIDATED)])
        return jax.tree.map(lambda *values: np.mean(values), *rows)

    fresh = lambda: init(detector, feed, key=key, batch=batch, hyperparams=hyperparams)
    return Program(
        fresh, parallel.replicate, advance, fetch=lambda state: state, scans=scans(feed),
        validate=validate if held_out else judge,
    )  # fmt: skip


def scans(feed: Feed) -> bool:
    """Whether several steps go into one compiled call: on an accelerator, from images that are already there.

    Convolutions inside a loop lose their threads on CPU: a weight gradient went from 18 to 528 ms.
    """
    return not feed.sharded and jax.default_backend() != "cpu"


def init(detector: Detector, feed: Feed, *, key: jax.Array, batch: int, hyperparams: Any = None) -> State:
    """A fresh state, drawn from the key and the first batch; the same for any number of devices."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(key, 0), jnp.arange(batch))
    inputs = jax.tree.map(whole, feed.inputs(0)) if feed.sharded else feed.inputs(0)
    hyperparams = [] if hyperparams is None else [hyperparams]
    return compile_init(detector, feed.make_batch)(jax.random.fold_in(key, 1), inputs, keys, *hyperparams)


@functools.lru_cache(maxsize=16)
def compile_init(detector: Detector, cut: Callable) -> Callable[..., State]:
    """Cutting a batch and drawing a state as one program, which leaves out what no weight depends on, such as flaws."""
    return jit_once(lambda key, inputs, keys, *hyperparams: detector.init(key, cut(inputs, keys), *hyperparams))


def jit_once(function: Callable) -> Callable:
    """`jax.jit` for what runs once: it compiles quickly. On CPU, random weights of 25 layers: 1.3 s in place of 7."""
    quick = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(function, compiler_options=quick)


def whole(split_array: jax.Array) -> np.ndarray:
    """[local devices, b, ...] -> [B, ...]: undoes `parallel.split`."""
    array = np.asarray(split_array)
    return array.reshape(-1, *array.shape[2:])


def fit(
    program: Program,
    *,
    steps: int,
    log_every: int,
    save_every: int,
    patience: int = 0,
    checkpoints: Checkpoints | None = None,
    on_log: Callable[[int, dict[str, Any], State], None] = lambda step, metrics, state: None,
) -> Fit:
    """Trains, resuming from the last sound checkpoint if there is one.

    Every `log_every` steps the metrics averaged since the last time go to `on_log(step, metrics, state)`; every
    `save_every` steps (a multiple of it) a checkpoint is written. patience: stop after so many loggings without a lower
    loss; 0 never stops. Metrics of held-out images are named val_...; where there are any, val_loss is the one that
    counts. The batch of step k depends on (key, k) only, so a resumed run equals an unbroken one bit for bit. Metrics
    are floats, or lists with a float for each of many runs, of which the lowest loss counts. Raises Diverged when the
    loss (of every run) is NaN or infinite.
    """
    if log_every < 1 or save_every % log_every:
        raise ValueError(f"train.save_every = {save_every} must be a multiple of train.log_every = {log_every}; "
                         f"use {max(1, save_every // max(log_every, 1)) * max(log_every, 1)}")  # fmt: skip
    fresh = program.init()
    restored = checkpoints.restore(fresh) if checkpoints else None
    done, state, progress = restored or (0, fresh, {"best": math.inf, "waited": 0})
    state = program.place(state)
    best, waited = progress["best"], progress["waited"]
    recent: list[Any] = []
    while done < steps and not 0 < patience <= waited:
        count = min(log_every - done % log_every, steps - done) if program.scans else 1
        state, metrics = program.advance(state, done, count)
        done += count
        recent.append(metrics)
        if done % log_every and done < steps:
            continue
        rows = [program.fetch(row) for row in jax.device_get(recent)]
        averaged = {name: np.mean([row[name] for row in rows], 0).tolist() for name in metrics}
        recent.clear()
        if program.validate:
            averaged |= {f"val_{name}": float(value) for name, value in program.validate(state).items()}
        _check_finite(averaged, done, checkpoints)
        loss = float(np.nanmin(averaged["val_loss" if program.validate else "loss"]))
        waited = 0 if loss < best else waited + 1
        best = min(best, loss)
        on_log(done, averaged, state)
        last = done >= steps or 0 < patience <= waited
        if checkpoints and (done % save_every == 0 or last):
            checkpoints.save(done, program.fetch(state), loss=loss, progress={"best": best, "waited": waited})
    return Fit(program.fetch(state), done, best, done < steps)


@functools.lru_cache(maxsize=16)
def compile_advance(
    detector: Detector, cut: Callable, split_inputs: bool, batch: int, count: int
) -> Callable[[State, Any, int, jax.Array], tuple[State, dict[str, jax.Array]]]:
    """One run's `count` steps as one compiled call over all devices: (state, inputs, step, key) -> (state, metrics)."""
    steps = several_steps(detector, cut, batch=batch // jax.device_count(), count=count)
    return parallel.compile_step(steps, split_inputs=split_inputs)


@functools.lru_cache(maxsize=16)
def compile_judge(detector: Detector, cut: Callable, split_inputs: bool, batch: int) -> Callable:
    """What a step would report that is not taken, compiled: (state, inputs, step, key) -> (nothing, metrics)."""
    step = several_steps(detector, cut, batch=batch // jax.device_count(), count=1)
    judge = lambda *args: ((), step(*args)[1])
    return parallel.compile_step(judge, split_inputs=split_inputs, overwrite=False)


def several_steps(detector: Detector, cut: Callable, *, batch: int, count: int) -> Callable:
    """`count` steps of one run, not compiled: (state, inputs, step, key) -> (state, metrics). batch: per device."""

    def take_step(state, inputs, step, key):
        cut_key, step_key = jax.random.split(jax.random.fold_in(key, step + 2))  # 0 and 1 drew the state.
        return detector.step(state, cut(inputs, parallel.sample_keys(cut_key, batch)), step_key)

    def take_steps(state, inputs, step, key):
        state, metrics = lax.scan(lambda s, i: take_step(s, inputs, step + i, key), state, jnp.arange(count))
        return state, jax.tree.map(jnp.mean, metrics)

    return take_step if count == 1 else take_steps


def _check_finite(metrics: dict[str, Any], step: int, checkpoints: Checkpoints | None) -> None:
    bad = {name: value for name, value in metrics.items() if not np.isfinite(value).any()}
    if bad:
        saved = checkpoints.steps() if checkpoints else []
        kept = f"the checkpoint of step {saved[-1]} is kept" if saved else "no checkpoint was written before it"
        raise Diverged(f"training diverged by step {step}: {bad}; {kept}. Lower the learning rate and start again")
