"""Many runs as one program: they resume, share what is compiled, fit into memory, and leave one another alone.

That a run of a population equals the same run alone is a promise of every detector: tests/contract/test_population.py.
"""

import functools
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect import scoring
from jaxdefect.detector import Detector, Scores
from jaxdefect.training import feed, loop, optim, population
from jaxdefect.training.checkpoint import Checkpoints
from tests.contract.populations import COMPARED, SEEDS, alone, members, start
from tests.contract.steps import apart, on_fake_devices, textures, weights
from tests.drilled import drilled
from tests.tiny import config as tiny_config

# One player; two; another; several with a memory. The first compiles quickly.
CASES = ["ssim_ae", *drilled("alocc", "renet_d", "maa")]
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


@pytest.mark.parametrize("name", CASES)
def test_a_population_resumes_bit_for_bit(name, tmp_path):
    unbroken = weights(fit(program(name), 4))
    fit(program(name), 2, checkpoints=Checkpoints(tmp_path))
    resumed = weights(fit(program(name), 4, checkpoints=Checkpoints(tmp_path)))
    assert all(np.array_equal(unbroken[key], resumed[key]) for key in unbroken)


@pytest.mark.parametrize("name", CASES)
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


@pytest.mark.drill
@pytest.mark.parametrize("name", CASES)
def test_devices_agree_on_a_population(name, tmp_path):
    assert jax.local_device_count() == 1
    out = tmp_path / "two.npz"
    command = [sys.executable, "-m", "tests.contract.populations", name, str(out)]
    subprocess.run(command, check=True, env=on_fake_devices(2))
    with np.load(out) as arrays:
        two = dict(arrays)
    assert apart(trained(name), two) < 0.05 * apart(two, start(name, 0, 1, 2))


def made_plain(*, learning_rate):
    """A detector whose memory is nearly all activations: 32 numbers for each pixel, from the pixel alone."""
    sgd = optim.sgd(learning_rate)
    init = lambda key, batch: optim.init_player(sgd, {"params": jax.random.normal(key, (2, 32))})

    def step(state, batch, key):
        def loss(params):
            seen = jnp.tanh(batch.image @ params[:1])
            value = jnp.mean(jnp.square(jnp.tanh(seen @ params[1:].T) - batch.image))
            return value, ({}, {"loss": value})

        return optim.update_player(sgd, loss, state)

    return Detector(init, step, lambda state, images: Scores(jnp.mean(images, (1, 2, 3))))


def test_as_many_runs_train_at_once_as_fit_into_memory():
    detector, hyperparams = population.share_program(made_plain, {"learning_rate": 0.1})
    source, batch = feed.in_memory(textures(2), patch=32), 16
    fits = lambda memory, batch=batch: population.runs_at_once(
        detector, source, hyperparams=hyperparams, batch=batch, memory=memory
    )
    assert fits(0) == jax.local_device_count()  # Never less than one on each device.
    many = fits(10**9)
    assert many > fits(10**8) > 1
    assert 0.4 * many < fits(10**9, 2 * batch) < 0.7 * many
    assert fits(None) == 1  # On CPU, in turn.


@pytest.mark.drill
def test_convolutions_as_matrix_products_train_alike():
    detector, source, hyperparams, batch = members("alocc")
    products = population.many_runs(
        detector, source, keys=KEYS, hyperparams=hyperparams, batch=batch, form="matmul"
    )  # fmt: skip
    states = fit(products, COMPARED["alocc"])
    assert apart(trained("alocc"), states) < 0.05 * apart(states, products.init())


def test_a_stream_belongs_to_one_run():
    detector, source, hyperparams, batch = members("ssim_ae")
    with pytest.raises(ValueError, match="a population needs images in memory"):
        population.many_runs(
            detector, source._replace(sharded=True), keys=KEYS[:1], hyperparams=hyperparams[:1], batch=batch
        )


def test_a_diverged_run_does_not_stop_the_others():
    well = program("ssim_ae")

    def init():
        states = well.init()
        rates = np.array(states.hyperparams["learning_rate"])
        rates[1] = np.nan
        return states._replace(hyperparams=states.hyperparams | {"learning_rate": rates})

    states = fit(well._replace(init=init), 2)
    finite = [all(np.isfinite(v).all() for k, v in weights(population.nth_run(states, run)).items()
                  if "learning_rate" not in k) for run in range(3)]  # fmt: skip
    assert finite == [True, False, True]
