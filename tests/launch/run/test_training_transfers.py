"""Nothing goes to the device unasked within a loop: over steps, over runs side by side, over images."""

import shutil

import jax
import numpy as np
import pytest

import jaxdefect
from jaxdefect.training import loop
from launch.run import feeds, training
from launch.run.data import open_data
from launch.run.evaluation import evaluate
from launch.run.folder import read_result
from launch.run.prediction import predictor_of
from launch.run.predictions import predict
from launch.run.trained import load_run, make_detector
from launch.run.training import calibrate
from tests.contract import populations
from tests.contract.steps import source
from tests.tiny import config as tiny_config


@pytest.fixture
def guarded():
    """A loop from a state that is on the devices already, under guard."""

    def run(program, **options):
        fresh = program.place(program.init())
        within = program._replace(init=lambda: fresh, place=lambda state: state)
        with jax.transfer_guard("disallow"):
            return loop.fit(within, **({"steps": 4, "log_every": 2, "save_every": 2} | options))

    return run


def test_within_a_training_nothing_is_handed_over_unasked(run, guarded):
    config = load_run(run).config
    detector, hyperparams = make_detector(config)
    images = feeds.make_feed(config, open_data(config))
    key = jax.random.key(config.seed)
    assert guarded(loop.one_run(detector, images, key=key, batch=config.train.batch, hyperparams=hyperparams)).step == 4


@pytest.mark.drill
def test_nor_where_held_out_images_are_judged_meanwhile(guarded):
    config = tiny_config("dae")
    detector, hyperparams = make_detector(config)
    images = source(config)
    program = loop.one_run(
        detector, images, key=jax.random.key(0), batch=config.train.batch, hyperparams=hyperparams, held_out=images
    )
    assert guarded(program).step == 4


@pytest.mark.drill
def test_nor_within_runs_side_by_side(guarded):
    detector, images, hyperparams, batch = populations.members("dae")
    keys = [jax.random.key(seed) for seed in populations.SEEDS]
    program = populations.population.many_runs(detector, images, keys=keys, hyperparams=hyperparams, batch=batch)
    assert guarded(program).step == 4


@pytest.mark.drill
def test_nor_within_a_calibration(run):
    config = tiny_config("padim")
    config.data.update(load_run(run).config.data)
    data = open_data(config)
    detector, hyperparams = make_detector(config)
    seen = jaxdefect.Batch(np.stack([data.converted.train[0].image]) / np.float32(255))
    state = detector.init(jax.random.key(0), seen, hyperparams)
    with jax.transfer_guard("disallow"):
        calibrate(config, detector, state, data)


def test_nor_from_image_to_image(run, tmp_path):
    loaded = load_run(run)
    data, opened = open_data(loaded.config), jaxdefect.open_run(run)
    images = [sample.image for sample in data.converted.test]
    training.strip(loaded.detector, loaded.state, images[0])
    with jax.transfer_guard("disallow"):
        assert [found.score for found in opened.stream(images)] == [opened(image).score for image in images]
        predicted = predict(predictor_of(loaded, data), data, data.converted.test, tmp_path / "maps")
        assert len(predicted.scores) == len(images)
        assert training.strip(loaded.detector, loaded.state, images[0]).dtype == np.uint8


def test_nor_within_an_evaluation_from_the_images_to_the_result(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    loaded = load_run(tmp_path / "run")
    data, before = open_data(loaded.config), read_result(run)["figures"]
    with jax.transfer_guard("disallow"):
        assert evaluate(loaded, data, tmp_path / "run")["figures"] == before
