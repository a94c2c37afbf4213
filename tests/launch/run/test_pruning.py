"""What pruning leaves: a smaller config, the facts of the run, and the steps of the training that follows."""

import jax
import numpy as np
import pytest

from jaxdefect.training import population
from launch.run import pruning
from launch.run.trained import Run, example_batch, make_detector, settings_of
from tests.tiny import config as tiny_config


@pytest.fixture(scope="module")
def pruned():
    """(run, what it was pruned to), of a detector that was never trained."""
    config, facts = tiny_config("dae"), {"kinds": ()}
    config.settings.width = 4
    detector, hyperparams = make_detector(config, facts)
    state = jax.jit(detector.init)(jax.random.key(0), zeros(config), hyperparams)
    run = Run(config, detector, state, {}, facts)
    return run, pruning.prune(run, state, keep=0.5, rank="magnitude", steps=7)


def zeros(config):
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), example_batch(config))


def test_what_follows_the_steps_follows_those_of_the_fine_tuning(pruned):
    run, small = pruned
    assert small.run.config.train.steps == 7 and run.config.train.steps != 7
    config = tiny_config("segdec")
    config.train.steps = 7
    assert settings_of(config, {"kinds": ()})["steps"] == 7


def test_the_smaller_run_has_a_config_and_a_state_of_its_own_widths(pruned):
    run, small = pruned
    assert small.widths == {"width": (4, 2)} and small.run.config.settings.width == 2
    assert run.config.settings.width == 4 and small.run.facts == run.facts
    assert isinstance(small.run.state, population.RunState)
    expected = jax.eval_shape(small.run.detector.init, jax.random.key(0), zeros(run.config), run.state.hyperparams)
    shapes = lambda state: jax.tree.map(np.shape, state)
    assert shapes(small.run.state) == shapes(expected)
