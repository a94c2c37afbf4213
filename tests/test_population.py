"""Many runs as one program: a run of a population equals the same run alone."""

import functools
import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxdefect
from jaxdefect import scoring
from jaxdefect.training import loop, population
from jaxdefect.training.checkpoint import Checkpoints
from launch.command import configuration as configs
from tests.steps import apart, must_learn, on_fake_devices, source, textures, weights

DETECTORS = jaxdefect.names()
SEEDS = (3, 4, 5)
STEPS = 6
TWO = ("renet_d", "maa")  # one player, and several with a memory
# Rounding grows a thousandfold in the second step of deep, normalised, adversarial networks.
COMPARED = dict.fromkeys(DETECTORS, 1) | {"renet_d": 3}
OPTIONS = {"log_every": 3, "save_every": 3}


@functools.cache
def members(name):
    """(detector, feed, hyperparams of each run, batch): the runs differ in every float setting."""
    config = configs.get(name, "tiny")
    settings = config.settings.to_dict()
    varied = [
        {key: value * (1 - 0.2 * i) if isinstance(value, float) else value for key, value in settings.items()}
        for i in range(len(SEEDS))
    ]
    families = [population.share_program(jaxdefect.load(name), one) for one in varied]
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
    images = np.stack(textures(2, channels=configs.get(name, "tiny").data.channels))
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
        command = [sys.executable, "-m", "tests.test_population", name, str(out)]
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
    with pytest.raises(ValueError, match="resident"):
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


if __name__ == "__main__":
    compared = {"steps": COMPARED[sys.argv[1]], "log_every": 1, "save_every": 1}
    np.savez(sys.argv[2], **weights(together(sys.argv[1], **compared).state))
