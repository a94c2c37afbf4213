"""Runs of every detector, together and alone.

`python -m tests.contract.populations DETECTOR FILE` saves the weights of a population, for the test that devices agree.
"""

import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxdefect
from jaxdefect import parallel
from jaxdefect.training import loop, population
from launch.run.trained import settings_of
from tests.contract.steps import CASES, source, weights
from tests.tiny import config as tiny_config

SEEDS = (3, 4, 5)
STEPS = 6
# Rounding grows a thousandfold in the second step of deep, normalised, adversarial networks.
COMPARED = dict.fromkeys(CASES, 1) | {"renet_d": 3}
OPTIONS = {"log_every": 3, "save_every": 3}


@functools.cache
def members(name):
    """(detector, feed, hyperparams of each run, batch): the runs differ in every float setting."""
    config = tiny_config(name)
    settings = settings_of(config, {"kinds": ()})
    varied = [
        {key: value * (1 - 0.2 * i) if isinstance(value, float) else value for key, value in settings.items()}
        for i in range(len(SEEDS))
    ]
    families = [population.share_program(jaxdefect.load(config.detector), settings) for settings in varied]
    assert len({id(detector) for detector, _ in families}) == 1, "runs that differ in floats share one detector"
    return families[0][0], source(config), [hyperparams for _, hyperparams in families], config.train.batch


def together(name, **options):
    detector, source, hyperparams, batch = members(name)
    keys = [jax.random.key(seed) for seed in SEEDS]
    program = population.many_runs(detector, source, keys=keys, hyperparams=hyperparams, batch=batch)
    return loop.fit(program, **({"steps": STEPS} | OPTIONS | options))


def alone(name, run, **options):
    detector, source, hyperparams, batch = members(name)
    program = loop.one_run(detector, source, key=jax.random.key(SEEDS[run]), batch=batch, hyperparams=hyperparams[run])
    return loop.fit(program, **({"steps": STEPS} | OPTIONS | options))


def start(name, *runs):
    """The state these runs start from: one run's, or that of a population."""
    detector, source, hyperparams, batch = members(name)
    keys = [jax.random.key(SEEDS[run]) for run in runs]
    own = [hyperparams[run] for run in runs]
    if len(runs) == 1:
        return loop.one_run(detector, source, key=keys[0], batch=batch, hyperparams=own[0]).init()
    return population.many_runs(detector, source, keys=keys, hyperparams=own, batch=batch).init()


def traced_step(name, devices):
    """(states, states after a step, metrics) of these runs, each on so many devices: traced, not compiled.

    Raises ValueError where the state of a run would differ between devices: `vmap` knows what depends on the device,
    and what an average has made the same again.
    """
    detector, source, hyperparams, batch = members(name)
    keys, inputs = jnp.stack([jax.random.key(seed) for seed in SEEDS]), source.inputs(0)
    numbers = {key: jnp.stack([jnp.asarray(own[key]) for own in hyperparams]) for key in hyperparams[0]}
    example = jax.eval_shape(source.make_batch, inputs, jax.random.split(keys[0], batch))
    states = jax.eval_shape(jax.vmap(detector.init, (0, None, 0)), keys, example, numbers)
    step = loop.several_steps(detector, source.make_batch, batch=batch // devices, count=1)

    def of_a_run(state, key):
        def on_a_device(rank, state):
            state, metrics = step(state, inputs, 0, key)
            return state, parallel.mean(metrics)

        together = jax.vmap(on_a_device, (0, None), out_axes=None, axis_name=parallel.AXIS)
        return together(jnp.arange(devices), state)

    return states, *jax.eval_shape(jax.vmap(of_a_run), states, keys)


if __name__ == "__main__":
    compared = {"steps": COMPARED[sys.argv[1]], "log_every": 1, "save_every": 1}
    np.savez(sys.argv[2], **weights(together(sys.argv[1], **compared).state))
