"""Many runs as one program: a run of a population equals the same run alone."""

import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxdefect import scoring
from jaxdefect.training import loop, population
from jaxdefect.training.checkpoint import Checkpoints
from tests.contract.populations import OPTIONS, SEEDS, STEPS, alone, members, start, together
from tests.contract.steps import apart, on_fake_devices, textures, weights
from tests.tiny import config as tiny_config

TWO = ("renet_d", "maa")  # one player, and several with a memory


@pytest.mark.parametrize("name", TWO)
def test_a_population_resumes_bit_for_bit(name, tmp_path):
    unbroken = weights(together(name).state)
    together(name, steps=3, checkpoints=Checkpoints(tmp_path))
    resumed = weights(together(name, checkpoints=Checkpoints(tmp_path)).state)
    assert all(np.array_equal(unbroken[key], resumed[key]) for key in unbroken)


@pytest.mark.parametrize("name", TWO)
def test_runs_of_a_family_share_what_is_compiled(name):
    alone(name, 0)
    states = [alone(name, 1).state]
    images = np.stack(textures(2, channels=tiny_config(name).data.channels))
    detector = members(name)[0]
    scoring.detect(detector, states[0], images, threshold=1.0)
    trained, scored = loop.compile_advance.cache_info().misses, scoring.detect._cache_size()
    states.append(alone(name, 2).state)
    scoring.detect(detector, states[1], images, threshold=2.0)
    assert loop.compile_advance.cache_info().misses == trained and scoring.detect._cache_size() == scored


@pytest.mark.parametrize("name", TWO)
def test_devices_agree_on_a_population(name, tmp_path):
    both = []
    for devices in (1, 2):
        out = tmp_path / f"{devices}.npz"
        command = [sys.executable, "-m", "tests.contract.populations", name, str(out)]
        subprocess.run(command, check=True, env=on_fake_devices(devices))
        with np.load(out) as arrays:
            both.append(dict(arrays))
    assert apart(*both) < 0.05 * apart(both[0], start(name, 0, 1, 2))


def test_as_many_runs_train_at_once_as_fit_into_memory():
    detector, source, hyperparams, batch = members("renet_d")
    fits = lambda memory: population.runs_at_once(
        detector, source, hyperparams=hyperparams[0], batch=batch, memory=memory
    )
    assert fits(0) == jax.local_device_count()  # Never less than one on each device.
    assert fits(10**9) > fits(10**8) > 1
    few = population.runs_at_once(detector, source, hyperparams=hyperparams[0], batch=2 * batch, memory=10**9)
    assert 0.4 * fits(10**9) < few < 0.7 * fits(10**9)
    assert population.runs_at_once(detector, source, hyperparams=hyperparams[0], batch=batch) == 1  # On CPU, in turn.


def test_convolutions_as_matrix_products_train_alike():
    detector, source, hyperparams, batch = members("renet_d")
    keys = [jax.random.key(seed) for seed in SEEDS]
    program = population.many_runs(detector, source, keys=keys, hyperparams=hyperparams, batch=batch, form="matmul")
    states = loop.fit(program, steps=STEPS, **OPTIONS).state
    assert apart(together("renet_d").state, states) < 0.05 * apart(states, program.init())


def test_a_stream_belongs_to_one_run():
    detector, source, hyperparams, batch = members("renet_d")
    with pytest.raises(ValueError, match="a population needs images in memory"):
        population.many_runs(
            detector, source._replace(sharded=True), keys=[jax.random.key(0)], hyperparams=hyperparams[:1], batch=batch
        )


def test_a_diverged_run_does_not_stop_the_others():
    detector, source, hyperparams, batch = members("renet_d")
    sick = [hyperparams[0], hyperparams[1] | {"learning_rate": np.float32(np.nan)}, hyperparams[2]]
    program = population.many_runs(
        detector, source, keys=[jax.random.key(seed) for seed in SEEDS], hyperparams=sick, batch=batch
    )
    states = loop.fit(program, steps=STEPS, **OPTIONS).state
    finite = [all(np.isfinite(v).all() for k, v in weights(population.nth_run(states, run)).items()
                  if "learning_rate" not in k) for run in range(3)]  # fmt: skip
    assert finite == [True, False, True]
