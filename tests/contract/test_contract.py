"""What every detector promises. Runs over every file of jaxdefect/detectors with the preset `tiny` of its config."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdefect
from jaxdefect import parallel, scoring
from jaxdefect.detector import Batch
from jaxdefect.training import feed, loop
from jaxdefect.training.checkpoint import Checkpoints
from tests.contract.steps import apart, batch_of, fit, must_learn, on_fake_devices, source, textures, tiny, weights
from tests.tiny import config as tiny_config

DETECTORS = jaxdefect.names()


@pytest.fixture(scope="module", params=DETECTORS)
def trained(request):
    """(detector, state, images float32 [4, 48, 48, C]) after a few steps and calibration."""
    detector, config = tiny(request.param)
    state = jax.device_get(fit(request.param, 10).state)
    images = np.stack(textures(4, channels=config.data.channels, seed=1))
    for image in images[:2]:
        state = scoring.calibrate(detector, state, image[None])
    return detector, scoring.finalize(detector, state), jnp.asarray(images, jnp.float32) / 255


@pytest.mark.parametrize("name", DETECTORS)
def test_the_loss_falls(name):
    must_learn(name)
    losses = []
    fit(name, 30, on_log=lambda step, metrics, state: losses.append(metrics["loss"]))
    assert np.mean(losses[-2:]) < np.mean(losses[:2])  # Of two: adversaries' losses swing.


@pytest.fixture(scope="module")
def on_eight_devices(request, tmp_path_factory):
    """(the state after a step on 8 devices, the same without the average over devices), each {detector: state}.

    One step: rounding grows a thousandfold in the next, through deep normalised networks and Adam's division.
    """
    names = {item.callspec.params["name"] for item in request.session.items if "on_eight_devices" in item.fixturenames}

    def run(*flags):
        folder = tmp_path_factory.mktemp("devices")
        command = [sys.executable, "-m", "tests.contract.steps", "1", str(folder), *sorted(names), *flags]
        subprocess.run(command, check=True, env=on_fake_devices(8))
        return {name: dict(np.load(folder / f"{name}.npz")) for name in names}

    return run(), run("drift")


@pytest.mark.parametrize("name", DETECTORS)
def test_devices_agree_on_the_state(name, on_eight_devices):
    must_learn(name)
    eight, drifted = (states[name] for states in on_eight_devices)
    start, one = weights(fit(name, 0).state), weights(fit(name, 1).state)
    assert apart(one, eight) < 0.01 * apart(one, start)
    # Without the average over devices the same comparison must fail, or it proves nothing.
    assert apart(one, drifted) > 0.05 * apart(one, start)
    for leaf in (leaf for leaf in one if ".params" not in leaf):  # Statistics, moments, averages, a memory.
        moved = np.abs(one[leaf] - start[leaf].astype(one[leaf].dtype)).mean()
        assert np.abs(one[leaf] - eight[leaf]).mean() <= 0.05 * moved + 1e-6, leaf


@pytest.mark.parametrize("name", DETECTORS)
def test_a_resumed_run_equals_an_unbroken_one_bit_for_bit(name, tmp_path):
    unbroken = weights(fit(name, 15).state)
    first = fit(name, 10, checkpoints=Checkpoints(tmp_path))
    assert first.step == 10
    resumed = fit(name, 15, checkpoints=Checkpoints(tmp_path))
    assert resumed.step == 15
    again = weights(resumed.state)
    assert all(np.array_equal(unbroken[k], again[k]) for k in unbroken)


def test_scores_have_shapes_and_are_finite(trained):
    detector, state, images = trained
    scores = jax.jit(detector.score)(state, images)
    assert scores.image.shape == (4,) and scores.image.dtype == jnp.float32
    assert bool(jnp.isfinite(scores.image).all())
    if scores.map is not None:
        assert scores.map.shape == images.shape[:3] and bool(jnp.isfinite(scores.map).all())
    if scores.reconstruction is not None:
        assert scores.reconstruction.shape == images.shape
        assert float(scores.reconstruction.min()) >= 0 and float(scores.reconstruction.max()) <= 1


def test_scores_are_deterministic(trained):
    detector, state, images = trained
    score = jax.jit(detector.score)
    first, second = score(state, images), score(state, images)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True))


def test_scores_do_not_depend_on_the_rest_of_the_batch(trained):
    detector, state, images = trained
    score = jax.jit(detector.score)
    together = score(state, images)
    turned = score(state, images[::-1])
    alone = score(state, images[:1])
    for a, b, c in zip(*map(jax.tree.leaves, (together, turned, alone)), strict=True):
        tolerance = 1e-4 * float(jnp.abs(a[jnp.isfinite(a)]).max(initial=0))
        np.testing.assert_allclose(a, b[::-1], atol=tolerance)
        np.testing.assert_allclose(a[:1], c, atol=tolerance)


@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_a_constant_image_breaks_nothing(trained, grey):
    detector, state, images = trained
    flat = jnp.full_like(images[:1], grey)
    again = scoring.finalize(detector, detector.calibrate(state, flat))
    for scores in (jax.jit(detector.score)(state, flat), jax.jit(detector.score)(again, flat)):
        assert scores.classes is None or bool((scores.classes < jnp.inf).all())  # -inf: no candidate
        for leaf in jax.tree.leaves(scores._replace(classes=None)):
            assert bool(jnp.isfinite(leaf).all())


@pytest.mark.parametrize("name", DETECTORS)
def test_scores_are_numbers_before_anything_is_learned(name):
    detector, config = tiny(name)
    images = jnp.asarray(np.stack(textures(2, channels=config.data.channels)), jnp.float32) / 255
    batch = Batch(images[:, : config.train.patch or 48, : config.train.patch or 48])
    scores = jax.jit(lambda key: detector.score(detector.init(key, batch), images))(jax.random.key(0))
    assert not bool(jnp.isnan(scores.image).any())  # Infinite is the distance to classes of which none is known.


def test_any_size_of_image_is_scored(trained):
    detector, state, images = trained
    for height, width in ((37, 41), (16, 48), (48, 19)):
        scores = jax.jit(detector.score)(state, images[:1, :height, :width])
        assert scores.map is None or scores.map.shape == (1, height, width)


@pytest.mark.parametrize("name", DETECTORS)
def test_numbers_in_settings_may_be_tracers(name):
    config = tiny_config(name)
    numbers = {k: v for k, v in config.settings.items() if isinstance(v, float)}
    images = jnp.asarray(np.stack(textures(8, config.train.patch, config.data.channels)), jnp.float32) / 255
    make = jaxdefect.load(name)

    def loss_of_a_step(numbers):
        detector = make(**(config.settings.to_dict() | numbers))
        state = detector.init(jax.random.key(0), Batch(images))
        return detector.step(state, batch_of(config, images), jax.random.key(1))[1]["loss"]

    # Traced, not compiled: a number that decides over a shape or a branch is refused while tracing.
    assert jax.eval_shape(parallel.on_one_device(loss_of_a_step), numbers).shape == ()


@pytest.mark.parametrize("name", DETECTORS)
def test_a_diverged_run_stops_and_keeps_the_last_good_checkpoint(name, tmp_path):
    must_learn(name)
    detector, config = tiny(name)
    healthy = source(config)

    def cut(inputs, keys):
        store, poison = inputs
        batch = healthy.make_batch(store, keys)
        return batch._replace(image=jnp.where(poison, jnp.nan, batch.image))

    sick = feed.Feed(lambda step: (healthy.inputs(step), jnp.asarray(step >= 7)), cut, sharded=False)
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(loop.Diverged, match="checkpoint of step 5 is kept"):
        program = loop.one_run(detector, sick, key=jax.random.key(0), batch=16)
        loop.fit(program, steps=20, log_every=5, save_every=5, checkpoints=checkpoints)
    assert checkpoints.steps() == [5]
