"""Every detector: a run of a population equals the same run alone."""

import numpy as np
import pytest

import jaxdefect
from jaxdefect.training import population
from tests.contract.populations import COMPARED, SEEDS, alone, start, together
from tests.contract.steps import apart, must_learn

DETECTORS = jaxdefect.names()


@pytest.mark.parametrize("name", DETECTORS)
def test_a_run_of_a_population_equals_the_same_run_alone(name):
    must_learn(name)
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
