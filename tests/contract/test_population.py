"""Every detector: a run of a population equals the same run alone. Numbers of two; the programs of all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect import parallel
from jaxdefect.training import loop, population
from tests.contract.populations import COMPARED, SEEDS, alone, members, start, together
from tests.contract.steps import CASES, apart, must_learn

NUMBERS = ("ssim_ae", "cnn_classifier")  # one that learns from normal images; labels. Both compile quickly.


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


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.xdist_group(n)) for n in NUMBERS])
def test_a_run_of_a_population_equals_the_same_run_alone(name):
    equals_the_same_run_alone(name)


@pytest.mark.drill
@pytest.mark.parametrize("name", [name for name in CASES if name not in NUMBERS])
def test_a_run_of_any_population_equals_the_same_run_alone(name):
    must_learn(name)
    equals_the_same_run_alone(name)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.xdist_group(n)) for n in CASES])
def test_many_runs_are_one_program(name):
    """Its shapes: those of a run, with runs in front. Every float setting is a tracer: one that decides over a shape or
    a branch is refused. Traced, not compiled.
    """
    detector, source, hyperparams, batch = members(name)
    keys = jnp.stack([jax.random.key(seed) for seed in SEEDS])
    numbers = {key: jnp.stack([jnp.asarray(own[key]) for own in hyperparams]) for key in hyperparams[0]}
    example = jax.eval_shape(source.make_batch, source.inputs(0), jax.random.split(keys[0], batch))
    states = jax.eval_shape(jax.vmap(detector.init, (0, None, 0)), keys, example, numbers)
    step = parallel.on_one_device(loop.several_steps(detector, source.make_batch, batch=batch, count=1))
    advanced, metrics = jax.eval_shape(jax.vmap(step, (0, None, None, 0)), states, source.inputs(0), 0, keys)
    same = lambda a, b: a.shape == b.shape and a.dtype == b.dtype
    assert jax.tree.all(jax.tree.map(same, states, advanced)) and metrics["loss"].shape == (len(SEEDS),)
