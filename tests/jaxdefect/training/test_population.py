"""Many runs as one program: they resume, share what is compiled, fit into memory, and leave one another alone.

That a run of a population equals the same run alone is a promise of every detector: tests/contract/test_population.py.
"""

import functools
import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxdefect import scoring
from jaxdefect.training import loop, population
from jaxdefect.training.checkpoint import Checkpoints
from tests.contract.populations import COMPARED, SEEDS, alone, members, start
from tests.contract.steps import apart, on_fake_devices, textures, weights
from tests.tiny import config as tiny_config

TWO = ("renet_d", "maa")  # one player, and several with a memory
KEYS = [jax.random.key(seed) for seed in SEEDS]


@functools.cache
def program(name):
    """The population of a detector, compiled once."""
    detector, source, hyperparams, batch = members(name)
    return population.many_runs(detector, source, keys=KEYS, hyperparams=hyperparams, batch=batch)


def fit(program, steps, **options):
    return loop.fit(program, steps=steps, log_every=1, save_every=1, **options).state


@functools.cache
def trained(name):
    """The states after as many steps as can be compared from one device to another."""
    return fit(program(name), COMPARED[name])


@pytest.mark.parametrize("name", TWO)
def test_a_population_resumes_bit_for_bit(name, tmp_path):
    unbroken = weights(fit(program(name), 4))
    fit(program(name), 2, checkpoints=Checkpoints(tmp_path))
    resumed = weights(fit(program(name), 4, checkpoints=Checkpoints(tmp_path)))
    assert all(np.array_equal(unbroken[key], resumed[key]) for key in unbroken)


@pytest.mark.parametrize("name", TWO)
def test_runs_of_a_family_share_what_is_compiled(name):
    one_step = {"steps": 1, "log_every": 1, "save_every": 1}
    alone(name, 0, **one_step)
    states = [alone(name, 1, **one_step).state]
    images = np.stack(textures(2, channels=tiny_config(name).data.channels))
    detector = members(name)[0]
    scoring.detect(detector, states[0], images, threshold=1.0)
    trained, scored = loop.compile_advance.cache_info().misses, scoring.detect._cache_size()
    states.append(alone(name, 2, **one_step).state)
    scoring.detect(detector, states[1], images, threshold=2.0)
    assert loop.compile_advance.cache_info().misses == trained and scoring.detect._cache_size() == scored


@pytest.mark.parametrize("name", ["renet_d", pytest.param("maa", marks=pytest.mark.drill)])
def test_devices_agree_on_a_population(name, tmp_path):
    assert jax.local_device_count() == 1
    out = tmp_path / "two.npz"
    command = [sys.executable, "-m", "tests.contract.populations", name, str(out)]
    subprocess.run(command, check=True, env=on_fake_devices(2))
    with np.load(out) as arrays:
        two = dict(arrays)
    assert apart(trained(name), two) < 0.05 * apart(two, start(name, 0, 1, 2))


def test_as_many_runs_train_at_once_as_fit_into_memory():
    detector, source, hyperparams, batch = members("dae")
    fits = lambda memory, batch=batch: population.runs_at_once(
        detector, source, hyperparams=hyperparams[0], batch=batch, memory=memory
    )
    assert fits(0) == jax.local_device_count()  # Never less than one on each device.
    many = fits(10**9)
    assert many > fits(10**8) > 1
    assert 0.4 * many < fits(10**9, 2 * batch) < 0.7 * many
    assert fits(None) == 1  # On CPU, in turn.


def test_convolutions_as_matrix_products_train_alike():
    detector, source, hyperparams, batch = members("renet_d")
    products = population.many_runs(
        detector, source, keys=KEYS, hyperparams=hyperparams, batch=batch, form="matmul"
    )  # fmt: skip
    states = fit(products, COMPARED["renet_d"])
    assert apart(trained("renet_d"), states) < 0.05 * apart(states, products.init())


def test_a_stream_belongs_to_one_run():
    detector, source, hyperparams, batch = members("renet_d")
    with pytest.raises(ValueError, match="a population needs images in memory"):
        population.many_runs(
            detector, source._replace(sharded=True), keys=KEYS[:1], hyperparams=hyperparams[:1], batch=batch
        )


def test_a_diverged_run_does_not_stop_the_others():
    well = program("renet_d")

    def init():
        states = well.init()
        rates = np.array(states.hyperparams["learning_rate"])
        rates[1] = np.nan
        return states._replace(hyperparams=states.hyperparams | {"learning_rate": rates})

    states = fit(well._replace(init=init), 2)
    finite = [all(np.isfinite(v).all() for k, v in weights(population.nth_run(states, run)).items()
                  if "learning_rate" not in k) for run in range(3)]  # fmt: skip
    assert finite == [True, False, True]
