"""What every detector promises. Runs over every file of jaxdefect/detectors with the preset `tiny` of its config."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdefect
from jaxdefect import feed, parallel, scoring, train
from jaxdefect.checkpoint import Checkpoints
from jaxdefect.detector import Batch
from launch import config as configs
from tests.steps import fit, textures, tiny, weights

DETECTORS = jaxdefect.names()


@pytest.fixture(scope="module", params=DETECTORS)
def trained(request):
    """(detector, state, images float32 [4, 48, 48, C]) after a few steps and calibration."""
    detector, config = tiny(request.param)
    state = jax.device_get(fit(request.param, 10).state)
    pictures = np.stack(textures(4, channels=config.data.channels, seed=1))
    state = scoring.calibrate(detector, state, pictures[:2])
    return detector, state, jnp.asarray(pictures, jnp.float32) / 255


@pytest.mark.parametrize("name", DETECTORS)
def test_the_loss_falls(name):
    losses = []
    fit(name, 30, on_log=lambda step, metrics, state: losses.append(metrics["loss"]))
    assert losses[-1] < losses[0]


def on_fake_devices(count, name, tmp_path, *flags):
    out = tmp_path / f"{count}{''.join(flags)}.npz"
    env = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count}", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-m", "tests.steps", name, "6", str(out), *flags], check=True, env=env)
    with np.load(out) as arrays:
        return dict(arrays)


def disagreement(one, many):
    """The largest difference of any weight, relative to the size of its array."""
    return max(float(np.abs(one[k] - many[k]).max() / (np.abs(one[k]).max() + 1e-3)) for k in one)


@pytest.mark.parametrize("name", DETECTORS)
def test_devices_agree_on_the_weights(name, tmp_path):
    one = on_fake_devices(1, name, tmp_path)
    eight = on_fake_devices(8, name, tmp_path)
    drifted = on_fake_devices(8, name, tmp_path, "drift")
    assert disagreement(one, eight) < 2e-2
    # Without the average over devices the same comparison must fail, or it proves nothing.
    assert disagreement(one, drifted) > 10 * disagreement(one, eight)
    assert disagreement(one, drifted) > 2e-2


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
        tolerance = 1e-4 * float(jnp.abs(a).max())
        np.testing.assert_allclose(a, b[::-1], atol=tolerance)
        np.testing.assert_allclose(a[:1], c, atol=tolerance)


@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_a_constant_image_breaks_nothing(trained, grey):
    detector, state, images = trained
    flat = jnp.full_like(images[:1], grey)
    for leaf in jax.tree.leaves(jax.jit(detector.score)(state, flat)):
        assert bool(jnp.isfinite(leaf).all())
    calibrated = detector.calibrate(state, flat)
    for leaf in jax.tree.leaves(jax.jit(detector.score)(calibrated, flat)):
        assert bool(jnp.isfinite(leaf).all())


def test_any_size_of_picture_is_scored(trained):
    detector, state, images = trained
    for height, width in ((37, 41), (16, 48), (48, 19)):
        scores = jax.jit(detector.score)(state, images[:1, :height, :width])
        assert scores.map is None or scores.map.shape == (1, height, width)


@pytest.mark.parametrize("name", DETECTORS)
def test_numbers_in_settings_may_be_tracers(name):
    config = configs.get(name, "tiny")
    numbers = {k: v for k, v in config.settings.items() if isinstance(v, float)}
    images = jnp.asarray(np.stack(textures(8, 16, config.data.channels)), jnp.float32) / 255
    make = jaxdefect.load(name)

    def loss_after_two_steps(numbers):
        detector = make(**(config.settings.to_dict() | numbers))
        state = detector.init(jax.random.key(0), Batch(images))
        state, _ = detector.step(state, Batch(images), jax.random.key(1))
        return detector.step(state, Batch(images), jax.random.key(2))[1]["loss"]

    def on_one_device(numbers):
        return jax.pmap(loss_after_two_steps, parallel.AXIS, devices=jax.devices()[:1])(
            jax.tree.map(lambda x: jnp.full((1,), x), numbers)
        )

    assert bool(jnp.isfinite(on_one_device(numbers)).all())


@pytest.mark.parametrize("name", DETECTORS)
def test_a_diverged_run_stops_and_keeps_the_last_good_checkpoint(name, tmp_path):
    detector, config = tiny(name)
    healthy = feed.resident(textures(channels=config.data.channels), patch=config.train.patch)

    def cut(inputs, keys):
        store, poison = inputs
        batch = healthy.cut(store, keys)
        return batch._replace(image=jnp.where(poison, jnp.nan, batch.image))

    sick = feed.Feed(lambda step: (healthy.inputs(step), jnp.asarray(step >= 7)), cut, split=False)
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(train.Diverged, match="checkpoint of step 5 is kept"):
        program = train.one_run(detector, sick, key=jax.random.key(0), batch=16)
        train.fit(program, steps=20, log_every=5, save_every=5, checkpoints=checkpoints)
    assert checkpoints.steps() == [5]
