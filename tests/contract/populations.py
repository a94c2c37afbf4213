"""Runs of every detector, together and alone.

`python -m tests.contract.populations DETECTOR FILE` saves the weights of a population, for the test that devices agree.
"""

import functools
import sys

import jax
import numpy as np

import jaxdefect
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


if __name__ == "__main__":
    compared = {"steps": COMPARED[sys.argv[1]], "log_every": 1, "save_every": 1}
    np.savez(sys.argv[2], **weights(together(sys.argv[1], **compared).state))
