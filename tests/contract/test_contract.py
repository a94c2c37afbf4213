"""What every detector promises, at the tiny size of tests/tiny. Runs over every file of jaxdefect/detectors.

All tests of a detector run one after the other in one process, and share its compiled step and score.
"""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdefect
from jaxdefect import scoring
from jaxdefect.training import loop
from jaxdefect.training.checkpoint import Checkpoints
from launch.run.trained import settings_of
from tests.contract.steps import CASES, each, first_state, fit, must_learn, textures, tiny, weights
from tests.tiny import config as tiny_config

every_detector = each(CASES)


class Trained:
    """A detector, its state after ten steps and calibration, images float32 [4, 48, 48, C], score (compiled once)."""

    def __init__(self, name: str):
        self.detector, config = tiny(name)
        state = jax.device_get(fit(name, 10).state)
        images = np.stack(textures(4, channels=config.data.channels, seed=1))
        for image in images[:2]:
            state = scoring.calibrate(self.detector, state, image[None])
        self.state, self.score = scoring.finalize(self.detector, state), jax.jit(self.detector.score)
        self.calibrate, self.finalize = jax.jit(self.detector.calibrate), jax.jit(self.detector.finalize)
        self.images = jnp.asarray(images, jnp.float32) / 255


TRAINED: dict[str, Trained] = {}


@pytest.fixture
def trained(name):
    if name not in TRAINED:
        TRAINED.clear()  # One detector at a time: its programs map memory.
        TRAINED[name] = Trained(name)
    return TRAINED[name]


@every_detector
def test_the_loss_falls(name):
    must_learn(name)
    losses = []
    fit(name, 30, on_log=lambda step, metrics, state: losses.append(metrics["loss"]))
    assert np.mean(losses[-10:]) < np.mean(losses[:10])  # Of ten: adversaries' losses swing.


@every_detector
def test_a_resumed_run_equals_an_unbroken_one_bit_for_bit(name, tmp_path):
    unbroken = weights(fit(name, 7).state)
    first = fit(name, 5, checkpoints=Checkpoints(tmp_path))
    assert first.step == 5
    resumed = fit(name, 7, checkpoints=Checkpoints(tmp_path))
    assert resumed.step == 7
    again = weights(resumed.state)
    assert all(np.array_equal(unbroken[k], again[k]) for k in unbroken)


@every_detector
def test_a_diverged_run_stops_and_keeps_the_last_good_checkpoint(name, tmp_path):
    must_learn(name)
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(loop.Diverged, match="checkpoint of step 5 is kept"):
        fit(name, 20, poison_after=7, checkpoints=checkpoints)
    assert checkpoints.steps() == [5]


@every_detector
def test_scores_have_shapes_and_are_finite(name, trained):
    scores = trained.score(trained.state, trained.images)
    assert scores.image.shape == (4,) and scores.image.dtype == jnp.float32
    assert bool(jnp.isfinite(scores.image).all())
    if scores.map is not None:
        assert scores.map.shape == trained.images.shape[:3] and bool(jnp.isfinite(scores.map).all())
    if trained.detector.image_score is not None:
        again = trained.detector.image_score(trained.state, scores.map, jnp.array(scores.map.shape[1:]))
        np.testing.assert_allclose(scores.image, again, rtol=1e-5)
    if scores.reconstruction is not None:
        assert scores.reconstruction.shape == trained.images.shape
        assert float(scores.reconstruction.min()) >= 0 and float(scores.reconstruction.max()) <= 1


@every_detector
def test_scores_are_deterministic(name, trained):
    first, second = (trained.score(trained.state, trained.images) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True))


@every_detector
def test_scores_do_not_depend_on_the_rest_of_the_batch(name, trained):
    together = trained.score(trained.state, trained.images)
    turned = trained.score(trained.state, trained.images[::-1])
    alone = trained.score(trained.state, trained.images[:1])
    for a, b, c in zip(*map(jax.tree.leaves, (together, turned, alone)), strict=True):
        tolerance = 1e-4 * float(jnp.abs(a[jnp.isfinite(a)]).max(initial=0))
        np.testing.assert_allclose(a, b[::-1], atol=tolerance)
        np.testing.assert_allclose(a[:1], c, atol=tolerance)


@every_detector
def test_a_constant_image_breaks_nothing(name, trained):
    for grey in (0.0, 0.5, 1.0):
        flat = jnp.full_like(trained.images[:1], grey)
        again = trained.finalize(trained.calibrate(trained.state, flat))
        for scores in (trained.score(trained.state, flat), trained.score(again, flat)):
            assert scores.classes is None or bool((scores.classes < jnp.inf).all())  # -inf: no candidate
            for leaf in jax.tree.leaves(scores._replace(classes=None)):
                assert bool(jnp.isfinite(leaf).all())


@every_detector
def test_scores_are_numbers_before_anything_is_learned(name, trained):
    scores = trained.score(first_state(name), trained.images)
    assert not bool(jnp.isnan(scores.image).any())  # Infinite is the distance to classes of which none is known.


@every_detector
def test_any_size_of_image_is_scored(name, trained):
    """Of odd sides, one shorter than a patch."""
    scores = loop.jit_once(trained.detector.score)(trained.state, trained.images[:1, :17, :41])
    assert scores.map is None or scores.map.shape == (1, 17, 41)


@every_detector
def test_its_settings_are_all_in_its_config(name):
    """`make` has keyword arguments without defaults; what is no setting a launcher knows (`settings_of` raises)."""
    config = tiny_config(name)
    arguments = inspect.signature(jaxdefect.load(config.detector)).parameters.values()
    assert all(a.kind is a.KEYWORD_ONLY and a.default is a.empty for a in arguments)
    assert settings_of(config, {"kinds": ()}).keys() == {a.name for a in arguments}
