"""Every detector: eight devices leave the state that one leaves. Traces of all; numbers of one, as a drill of all."""

import functools
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

from jaxdefect import parallel
from jaxdefect.detector import no_training
from jaxdefect.training import loop, optim
from tests.contract.steps import CASES, apart, first_state, fit, on_fake_devices, prepared, tiny, weights

DEVICES = 8
LEARNING = [name for name in CASES if tiny(name)[0].step is not no_training]
NUMBERS = "ssim_ae"  # compiles quickly
OTHERS = [name for name in LEARNING if name != NUMBERS]
DRIFTING = ("renet_d", "maa", "segdec")  # one player, several with a memory, labels
eight_devices = pytest.mark.xdist_group("eight devices")


def states_of_a_step(detector, feed, batch):
    """(state, metrics) as a step on DEVICES devices leaves them: traced, not compiled.

    Raises ValueError where a state would differ between devices: `vmap` knows what depends on the device, and what an
    average has made the same again.
    """
    step = loop.several_steps(detector, feed.make_batch, batch=batch // DEVICES, count=1)
    key, inputs = jax.random.key(0), feed.inputs(0)
    example = jax.eval_shape(feed.make_batch, inputs, jax.random.split(key, batch))
    state = jax.eval_shape(detector.init, key, example)

    def on_a_device(rank, state):
        state, metrics = step(state, inputs, 0, key)
        return state, parallel.mean(metrics)

    together = jax.vmap(on_a_device, (0, None), out_axes=None, axis_name=parallel.AXIS)
    return jax.eval_shape(together, np.arange(DEVICES), state)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.xdist_group(n)) for n in LEARNING])
def test_a_step_leaves_one_state_on_all_devices(name):
    detector, feed, config = prepared(name)
    state, metrics = states_of_a_step(detector, feed, config.train.batch)
    assert jax.tree.leaves(state) and metrics["loss"].shape == ()


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.xdist_group(n)) for n in DRIFTING])
def test_without_the_average_over_devices_a_step_leaves_many(name, monkeypatch):
    """The same trace must fail then, or it proves nothing."""
    monkeypatch.setattr(optim, "average_over_devices", optax.identity)
    detector, feed, config = prepared.__wrapped__(name)
    with pytest.raises(ValueError, match="out_axes"):
        states_of_a_step(detector, feed, config.train.batch)


@functools.cache
def on_eight_devices(names, *words):
    """The state of each detector after a step on eight fake devices, trained by one process.

    One step: rounding grows a thousandfold in the next, through deep normalised networks and Adam's division.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.contract.steps", "1", folder, *names, *words]
        subprocess.run(command, env=on_fake_devices(DEVICES), check=True)
        return {path.stem: dict(np.load(path)) for path in Path(folder).glob("*.npz")}


def eight_leave_what_one_leaves(name, eight):
    start, alone = weights(first_state(name)), weights(fit(name, 1).state)
    assert apart(alone, eight) < 0.01 * apart(alone, start)
    for leaf in (leaf for leaf in alone if ".params" not in leaf):  # Statistics, moments, averages, a memory.
        moved = np.abs(alone[leaf] - start[leaf].astype(alone[leaf].dtype)).mean()
        assert np.abs(alone[leaf] - eight[leaf]).mean() <= 0.05 * moved + 1e-6, leaf


@eight_devices
def test_devices_agree_on_the_state():
    eight_leave_what_one_leaves(NUMBERS, on_eight_devices((NUMBERS,))[NUMBERS])


@eight_devices
@pytest.mark.drill
@pytest.mark.parametrize("name", OTHERS)
def test_devices_agree_on_the_state_of_others(name):
    eight_leave_what_one_leaves(name, on_eight_devices(tuple(OTHERS))[name])


@eight_devices
@pytest.mark.drill
@pytest.mark.parametrize("name", DRIFTING)
def test_without_the_average_over_devices_they_drift_apart(name):
    """The same comparison must fail then, or it proves nothing."""
    drifted = on_eight_devices(DRIFTING, "drift")[name]
    start, alone = weights(first_state(name)), weights(fit(name, 1).state)
    assert apart(alone, drifted) > 0.05 * apart(alone, start)
