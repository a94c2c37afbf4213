"""Every detector: a run of a population equals the same run alone. Numbers of one; the programs of all, which are
those of several devices, too.
"""

import jax
import numpy as np
import optax
import pytest

from jaxdefect.training import optim, population
from tests.contract.populations import COMPARED, SEEDS, alone, start, together, traced_step
from tests.contract.steps import CASES, DEVICES, DRIFTING, apart, each, must_learn

NUMBERS = ("ssim_ae",)  # compiles quickly


def equals_the_same_run_alone(name):
    steps = {"steps": COMPARED[name], "log_every": 1, "save_every": 1}
    losses = []
    states = together(name, **steps, on_log=lambda step, metrics, state: losses.append(metrics["loss"])).state
    for run in range(len(SEEDS)):
        own = []
        keep = lambda step, metrics, state, own=own: own.append(metrics["loss"])
        single = alone(name, run, **steps, on_log=keep).state
        moved = apart(single, start(name, run))
        assert apart(single, population.nth_run(states, run)) < 0.05 * moved
        assert apart(single, population.nth_run(states, (run + 1) % len(SEEDS))) > moved
        np.testing.assert_allclose([both[run] for both in losses], own, rtol=1e-3)


@each(NUMBERS)
def test_a_run_of_a_population_equals_the_same_run_alone(name):
    equals_the_same_run_alone(name)


@pytest.mark.drill
@pytest.mark.parametrize("name", [name for name in CASES if name not in NUMBERS])
def test_a_run_of_any_population_equals_the_same_run_alone(name):
    must_learn(name)
    equals_the_same_run_alone(name)


@each(CASES)
def test_many_runs_are_one_program_and_each_has_one_state_on_all_devices(name):
    """Shapes are those of a run, with runs in front. Every float setting is a tracer: one that decides over a shape or
    a branch is refused. So is a state that is not the same on all devices.
    """
    states, advanced, metrics = traced_step(name, DEVICES)
    same = lambda a, b: a.shape == b.shape and a.dtype == b.dtype
    assert jax.tree.leaves(states) and jax.tree.all(jax.tree.map(same, states, advanced))
    assert metrics["loss"].shape == (len(SEEDS),)


@each(DRIFTING)
def test_without_the_average_over_devices_a_run_has_many_states(name, monkeypatch):
    """The same trace must fail then, or it proves nothing."""
    monkeypatch.setattr(optim, "average_over_devices", optax.identity)
    with pytest.raises(ValueError, match="out_axes"):
        traced_step(name, DEVICES)
