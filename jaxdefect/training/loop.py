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
from jaxdefect.training.checkpoint import Checkpoints, Damaged
from jaxdefect.training.feed import Feed

VALIDATED = 4  # batches of held-out images
COPIES = 4  # of a state: what is trained, drawn or restored, fetched to be saved, and calibrated
FILLED = 0.8  # of the memory that is free, by the batch that is proposed where one was too large


class Fit(NamedTuple):
    state: State
    step: int  # steps taken
    best_loss: float
    stopped_early: bool


class Diverged(RuntimeError):
    """The loss is no number any more."""


class Stopped(KeyboardInterrupt):
    """Training was asked to stop, and did after a checkpoint."""


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

    hyperparams: the float settings, see `population.share_program`. held_out: images that are not trained on. Their
    metrics are those a step would have reported that is then not taken, averaged over VALIDATED batches, always the
    same. judge: state -> metrics, `loss` among them, in place of these.

    Runs of one detector and one feed share what is compiled, whatever their keys and hyperparams.
    """
    parallel.check_batch(batch)
    placed = parallel.replicate(key)
    take = within_memory(lambda count: compile_advance(detector, feed.make_batch, feed.sharded, batch, count), batch)
    advance = lambda state, step, count: take(count, state, feed.inputs(step), parallel.number(step), placed)

    def validate(state):
        untaken = compile_judge(detector, held_out.make_batch, held_out.sharded, batch)
        judge_batch = lambda i: untaken(state, held_out.inputs(i), parallel.number(i), placed)[1]
        rows = jax.device_get([judge_batch(i) for i in range(VALIDATED)])
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


def init(
    detector: Detector, feed: Feed, *, key: jax.Array, batch: int, hyperparams: Any = None, runs: int = 1
) -> State:
    """A fresh state, drawn from the key and the first batch; the same for any number of devices.

    runs: how many such states there are to be. Raises ValueError where they take more memory than is free.
    """
    draw, arguments = _drawing(detector, feed, key, batch, hyperparams)
    remedy = {"remedy": f"use fewer than --side-by-side {runs}"} if runs > 1 else {}
    parallel.check_memory(draw.eval_shape(*arguments), copies=runs * COPIES, **remedy)
    return draw(*arguments)


def shapes(detector: Detector, feed: Feed, *, key: jax.Array, batch: int, hyperparams: Any = None) -> State:
    """The shapes of what `init` draws."""
    draw, arguments = _drawing(detector, feed, key, batch, hyperparams)
    return draw.eval_shape(*arguments)


def _drawing(detector: Detector, feed: Feed, key: jax.Array, batch: int, hyperparams: Any) -> tuple[Callable, tuple]:
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(key, 0), jnp.arange(batch))
    inputs = jax.tree.map(whole, feed.inputs(0)) if feed.sharded else feed.inputs(0)
    hyperparams = [] if hyperparams is None else [hyperparams]
    return compile_init(detector, feed.make_batch), (jax.random.fold_in(key, 1), inputs, keys, *hyperparams)


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
    on_step: Callable[[int], None] = lambda step: None,
    on_log: Callable[[int, dict[str, Any], State], None] = lambda step, metrics, state: None,
    stop: Callable[[], bool] = lambda: False,
) -> Fit:
    """Trains, resuming from the last sound checkpoint if there is one.

    Every `log_every` steps the metrics averaged since the last time go to `on_log(step, metrics, state)`; every
    `save_every` steps (a multiple of it) a checkpoint is written. patience: stop after so many loggings without a lower
    loss; 0 never stops. Metrics of held-out images are named val_...; where there are any, val_loss is the one that
    counts. The batch of step k depends on (key, k) only, so a resumed run equals an unbroken one bit for bit. Metrics
    are floats, or lists with a float for each of many runs, of which the lowest loss counts. After every call of a
    compiled step on_step is told how many were asked for, and stop is asked; where it says so, a checkpoint is written
    and Stopped raised. Raises Diverged when the loss (of every run) is NaN or infinite.
    """
    if log_every < 1 or save_every % log_every:
        raise ValueError(f"train.save_every = {save_every} must be a multiple of train.log_every = {log_every}; "
                         f"use {max(1, save_every // max(log_every, 1)) * max(log_every, 1)}")  # fmt: skip
    fresh = program.init()
    restored = _restore(checkpoints, fresh) if checkpoints else None
    done, state, progress = restored or (0, fresh, {"best": math.inf, "waited": 0})
    state = program.place(state)
    best, waited = progress["best"], progress["waited"]
    recent: list[Any] = [_as_arrays(row) for row in progress.get("recent", [])]
    while done < steps and not 0 < patience <= waited:
        count = min(log_every - done % log_every, steps - done) if program.scans else 1
        state, metrics = program.advance(state, done, count)
        done += count
        jax.block_until_ready(recent[-1:])  # One step ahead of the device and no further: else stopping takes long.
        recent.append(metrics)
        on_step(done)
        if done % log_every and done < steps:
            if stop():
                _save_and_stop(program, checkpoints, done, state, best=best, waited=waited, recent=recent)
            continue
        rows = _fetched(program, recent)
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
        if not last and stop():
            _save_and_stop(program, checkpoints, done, state, best=best, waited=waited, recent=[])
    return Fit(program.fetch(state), done, best, done < steps)


@functools.lru_cache(maxsize=16)
def compile_advance(
    detector: Detector, cut: Callable, split_inputs: bool, batch: int, count: int
) -> Callable[[State, Any, int, jax.Array], tuple[State, dict[str, jax.Array]]]:
    """One run's `count` steps as one compiled call over all devices: (state, inputs, step, key) -> (state, metrics)."""
    steps = several_steps(detector, cut, batch=batch // jax.device_count(), count=count)
    return parallel.compile_step(steps, split_inputs=split_inputs)


def step_memory(compiled: Callable, *arguments: Any) -> float:
    """Bytes of each device that a step takes beside its arguments. It is compiled by this, and a call finds it so."""
    function, bound = (compiled.func, compiled.args) if isinstance(compiled, functools.partial) else (compiled, ())
    sizes = function.lower(*bound, *arguments).compile().memory_analysis()
    beyond = sizes.output_size_in_bytes - sizes.alias_size_in_bytes  # The new state lies where the old one was.
    return sizes.temp_size_in_bytes + max(0, beyond)


def within_memory(compiled: Callable[[int], Callable], batch: int, remedy: str = "") -> Callable:
    """`compiled(count)` as a call of (count, *arguments) whose memory is asked once for each count, before its first.

    Raises what `check_step` raises.
    """
    asked = set()

    def take(count: int, *arguments: Any) -> Any:
        if count not in asked:
            check_step(compiled(count), *arguments, batch=batch, remedy=remedy)
            asked.add(count)
        return compiled(count)(*arguments)

    return take


def check_step(compiled: Callable, *arguments: Any, batch: int, remedy: str = "") -> None:
    """Raises ValueError, with the figure and a remedy, where a compiled step takes more memory than is free."""
    needed, free = step_memory(compiled, *arguments), parallel.free_memory()
    if needed > free:
        devices = jax.device_count()
        fewer = int(FILLED * free / needed * batch) // devices * devices
        remedy = remedy or (f"use train.batch={fewer}" if fewer else "use a smaller train.patch, or a smaller preset")
        raise ValueError(f"a training step with train.batch = {batch} takes {needed / 1e9:.1f} GB, and "
                         f"{free / 1e9:.1f} GB are free; {remedy}")  # fmt: skip


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


def _fetched(program: Program, recent: list[Any]) -> list[dict[str, np.ndarray]]:
    return [{name: np.asarray(value) for name, value in program.fetch(row).items()} for row in jax.device_get(recent)]


def _as_arrays(row: dict[str, list]) -> dict[str, np.ndarray]:
    return {name: np.array(values, dtype) for name, (dtype, values) in row.items()}


def _save_and_stop(
    program: Program, checkpoints: Checkpoints | None, done: int, state: State, *, best: float, waited: int,
    recent: list[Any],
) -> None:  # fmt: skip
    """A checkpoint of this step, if there is none yet: with the metrics since the last logging, so that a resumed run
    logs the same. It is never the best one: its loss is not known yet.
    """
    if checkpoints is None:
        raise Stopped(f"stopped after step {done}")
    rows = [{name: (str(value.dtype), value.tolist()) for name, value in row.items()}
            for row in _fetched(program, recent)]  # fmt: skip
    progress = {"best": best, "waited": waited, "recent": rows}
    if done not in checkpoints.steps():
        checkpoints.save(done, program.fetch(state), loss=math.inf, progress=progress)
    raise Stopped(f"step {done} is saved")


def _restore(checkpoints: Checkpoints, fresh: State) -> tuple[int, State, dict[str, Any]] | None:
    try:
        return checkpoints.restore(fresh)
    except Damaged as error:
        raise Damaged(f"{error}; they are kept in {checkpoints.folder}-broken. Put sound copies in their place, if "
                      "there are any: without, the same command trains from the start") from error  # fmt: skip


def _check_finite(metrics: dict[str, Any], step: int, checkpoints: Checkpoints | None) -> None:
    bad = {name: value for name, value in metrics.items() if not np.isfinite(value).any()}
    if bad:
        saved = checkpoints.steps() if checkpoints else []
        kept = f"the checkpoint of step {saved[-1]} is kept" if saved else "no checkpoint was written before it"
        raise Diverged(f"training diverged by step {step}: {bad}; {kept}. Lower the learning rate and start again")
