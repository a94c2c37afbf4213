"""Many runs that differ only in hyperparameters and seeds, as one compiled program.

A float setting (a loss weight, a learning rate) is only computed with, so it may live in the state of a run instead of
in its program: `share_program`. Such runs share everything compiled, in training and in scoring. On CPU they train one
after another with it; on an accelerator side by side, `many_runs`, as many as fit into memory, spread over the devices.
"""

import functools
from collections.abc import Callable, ItemsView, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect import parallel
from jaxdefect.detector import Batch, Detector, Scores, State, no_calibration, no_finalization, no_training
from jaxdefect.networks.convolution import convolutions
from jaxdefect.training import loop
from jaxdefect.training.feed import Feed

MEMORY_SHARE = 0.8  # of what an accelerator has, for the states and activations of a population
_shared: dict[Any, Detector] = {}  # by `make` and the settings that are no floats


class RunState(NamedTuple):
    """The state of one of the runs that share a program."""

    hyperparams: dict[str, jax.Array]  # its float settings
    state: State


def share_program(make: Callable[..., Detector], settings: dict[str, Any]) -> tuple[Detector, dict[str, np.ndarray]]:
    """The detector that all runs share whose settings differ in floats only, and the floats of this run.

    The same detector object comes back for the same other settings, so whatever is compiled for it serves all. Its
    `init` takes the floats as a third argument. Raises what `make` raises for these settings.
    """
    example = make(**settings)
    hyperparams = {name: np.float32(value) for name, value in settings.items() if isinstance(value, float)}
    static = {name: _hashable(value) for name, value in settings.items() if name not in hyperparams}
    which = (make, tuple(sorted(static.items())))
    if which not in _shared:
        _shared[which] = _with_hyperparams(make, static, example)
    return _shared[which], hyperparams


def _with_hyperparams(make: Callable[..., Detector], static: dict[str, Any], example: Detector) -> Detector:
    detector = lambda hyperparams: make(**static, **hyperparams)

    def init(key: jax.Array, batch: Batch, hyperparams: dict[str, jax.Array]) -> RunState:
        return RunState(jax.tree.map(jnp.asarray, hyperparams), detector(hyperparams).init(key, batch))

    def step(run: RunState, batch: Batch, key: jax.Array) -> tuple[RunState, dict[str, jax.Array]]:
        state, metrics = detector(run.hyperparams).step(run.state, batch, key)
        return run._replace(state=state), metrics

    def score(run: RunState, images: jax.Array) -> Scores:
        return detector(run.hyperparams).score(run.state, images)

    def calibrate(run: RunState, images: jax.Array) -> RunState:
        return run._replace(state=detector(run.hyperparams).calibrate(run.state, images))

    def finalize(run: RunState) -> RunState:
        return run._replace(state=detector(run.hyperparams).finalize(run.state))

    def score_features(run: RunState, features: jax.Array) -> Scores:
        return detector(run.hyperparams).frozen.score(run.state, features)

    def image_score(run: RunState, maps: jax.Array, size: jax.Array) -> jax.Array:
        return detector(run.hyperparams).image_score(run.state, maps, size)

    return Detector(
        init,
        no_training if example.step is no_training else step,
        score,
        no_calibration if example.calibrate is no_calibration else calibrate,
        no_finalization if example.finalize is no_finalization else finalize,
        example.frozen and example.frozen._replace(score=score_features),
        example.image_score and image_score,
    )


def _hashable(value: Any) -> Any:
    value = value.items() if isinstance(value, dict) else value
    return tuple(_hashable(item) for item in value) if isinstance(value, (list, tuple, ItemsView)) else value


def many_runs(
    detector: Detector,
    feed: Feed,
    *,
    keys: Sequence[jax.Array],
    hyperparams: Sequence[dict],
    batch: int,
    form: str = "native",
) -> loop.Program:
    """Runs of one program side by side: the run of keys[i] and hyperparams[i] is [i] of every leaf of the state.

    Each equals the same run alone, to rounding: it draws the same weights and sees the same patches. Every device
    trains its own share of the runs on whole batches. form: of the convolutions, see
    `convolutions`. Raises ValueError for a stream, whose patches belong to one run.
    """
    if feed.sharded:
        raise ValueError("a population needs images in memory; use train.feed=in_memory or train the runs one by one")
    count, devices = len(keys), jax.local_device_count()
    filled = np.minimum(np.arange(-(-count // devices) * devices), count - 1)  # The last run again, to fill devices.
    place = lambda tree: parallel.split(jax.tree.map(lambda leaf: jnp.asarray(leaf)[filled], tree))
    # On the host: on the devices each leaf would be gathered by a program of its own, in which all wait for all.
    flat = lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count]
    fetch = lambda tree: jax.tree.map(flat, jax.device_get(tree))
    keys = jnp.stack(list(keys))
    hyperparams = {name: jnp.stack([of_run[name] for of_run in hyperparams]) for name in hyperparams[0]}
    placed_keys = place(keys)

    @functools.cache
    def compiled(count: int):
        return _compiled(detector, feed, batch=batch, count=count, form=form)

    take = loop.within_memory(compiled, batch, remedy=f"use fewer than --side-by-side {count}")
    advance = lambda state, step, count: take(count, state, feed.inputs(step), parallel.number(step), placed_keys)

    def init() -> RunState:
        init_run = lambda key, of_run: loop.init(
            detector, feed, key=key, batch=batch, hyperparams=of_run, runs=len(keys)
        )
        # Not compiled as a whole: the images would become constants of it.
        return jax.vmap(init_run)(keys, hyperparams)

    return loop.Program(init, place, advance, fetch, loop.scans(feed))


def _compiled(detector: Detector, feed: Feed, *, batch: int, count: int, form: str = "native") -> Callable:
    steps = loop.several_steps(detector, feed.make_batch, batch=batch, count=count)

    def in_form(*args):
        with convolutions(form):
            return steps(*args)

    return parallel.compile_runs(in_form)


def nth_run(states: State, index: int) -> State:
    """One run's state out of a population's."""
    return jax.tree.map(lambda leaf: leaf[index], states)


def runs_at_once(
    detector: Detector, feed: Feed, *, hyperparams: dict[str, Any], batch: int, memory: float | None = None
) -> int:
    """How many runs of one program train side by side on all devices together without running out of memory.

    memory: bytes a device may use; without, what the device says. One where that is not known (CPU), and runs are
    faster one after another there. Judged by the compiler's plan for one run on each device.
    """
    if memory is None:
        stats = jax.local_devices()[0].memory_stats() or {}
        if "bytes_limit" not in stats:
            return 1
        memory = MEMORY_SHARE * stats["bytes_limit"] - stats["bytes_in_use"]
    devices = jax.local_device_count()
    keys = [jax.random.key(0)] * devices
    program = many_runs(detector, feed, keys=keys, hyperparams=[hyperparams] * devices, batch=batch)
    state = program.place(program.init())
    step = _compiled(detector, feed, batch=batch, count=1)
    planned = (
        step.lower(state, feed.inputs(0), parallel.number(0), parallel.split(jnp.stack(keys)))
        .compile()
        .memory_analysis()
    )
    needed = planned.temp_size_in_bytes + 2 * planned.output_size_in_bytes
    return max(1, int(memory // needed)) * devices
