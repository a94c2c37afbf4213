"""Efficient-GAN: its score, the averages that score, its dropout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdefect
from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.detectors import efficient_gan
from tests.contract.steps import textures, tiny

pytestmark = pytest.mark.drill  # Its networks take long to compile; tests/contract has it among the fast ones.


@pytest.fixture(scope="module")
def taught():
    """(detector, config, state drawn, a step from it as a function of the dropout, images [16, 16, 16, 1])."""
    detector, config = tiny("efficient_gan")
    size = config.settings.size
    images = jnp.asarray(np.stack(textures(16, size)), jnp.float32) / 255
    state = jax.jit(detector.init)(jax.random.key(0), Batch(images))

    def step(dropout, state):
        other = jaxdefect.load("efficient_gan")(**(config.settings.to_dict() | {"dropout": dropout}))
        return other.step(state, Batch(images), jax.random.key(1))[0]

    compiled = jax.jit(parallel.on_one_device(step))
    return detector, config, state, lambda dropout: compiled(dropout, state), images


def test_the_score_weighs_pixels_and_features_of_the_pair(taught):
    _, config, _, step, images = taught
    state = step(0.5)
    settings = config.settings.to_dict()
    score = jax.jit(lambda w: jaxdefect.load("efficient_gan")(**(settings | {"feature": w})).score(state, images))
    scored = {w: score(w) for w in (0.0, 0.1, 1.0)}
    pixels, features = scored[0.0].image, scored[1.0].image
    tanh = lambda x: 2 * np.asarray(x) - 1
    by_hand = np.abs(tanh(images) - tanh(scored[0.0].reconstruction)).sum((1, 2, 3))
    np.testing.assert_allclose(pixels, by_hand, rtol=1e-4)
    own = lambda i, net, *x: net.apply(dict(zip(("params", "batch_stats"), state.average[i], strict=True)), *x,
                                       train=False)  # fmt: skip
    knobs = config.settings
    codes = own(0, efficient_gan.Encoder(knobs.latent, knobs.width), tanh(images))
    judge = lambda x: np.asarray(
        own(2, efficient_gan.Discriminator(knobs.width, knobs.hidden, spectral=False), x, codes)[1]
    )
    by_hand = np.abs(judge(tanh(images)) - judge(tanh(scored[0.0].reconstruction))).sum(-1)
    np.testing.assert_allclose(features, by_hand, rtol=1e-3)
    np.testing.assert_allclose(scored[0.1].image, 0.9 * pixels + 0.1 * features, rtol=1e-5)


def test_moving_averages_score(taught):
    detector, config, before, step, images = taught
    after, score = step(0.5), jax.jit(detector.score)
    decay = config.settings.decay
    for name, index in (("encoder", 0), ("generator", 1), ("discriminator", 2)):
        old, new = getattr(before, name), getattr(after, name)
        expected = jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, old[:2], new[:2])
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), tuple(after.average[index]), expected)
    changed = after._replace(encoder=before.encoder, generator=before.generator, discriminator=before.discriminator)
    scored = [score(state, images).image for state in (after, changed, after._replace(average=before.average))]
    np.testing.assert_array_equal(scored[0], scored[1])
    assert not np.allclose(scored[0], scored[2])


def test_dropout_keeps_the_mean_and_belongs_to_the_sample():
    keys = jax.random.split(jax.random.key(0), 3)
    x = jnp.ones((3, 100, 100))
    dropped = np.asarray(efficient_gan.dropped(x, 0.3, keys))
    np.testing.assert_allclose(np.unique(dropped), [0, 1 / 0.7], rtol=1e-6)
    np.testing.assert_allclose(dropped.mean((1, 2)), 1, atol=0.03)
    np.testing.assert_array_equal(efficient_gan.dropped(x, 0.3, keys[::-1]), dropped[::-1])
    assert (dropped[0] != dropped[1]).any()


def test_without_dropout_a_step_is_another(taught):
    *_, step, _ = taught
    without, halved = (step(dropout).encoder.params for dropout in (0.0, 0.5))
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), without, halved)
    assert max(jax.tree.leaves(moved)) > 1e-4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 18}, "settings.size = 18 .* 16 or 20"),
        ({"width": 5}, "settings.width = 5"),
        ({"box": 4}, "settings.box = 4"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        tiny("efficient_gan", **settings)


def test_images_of_another_size_are_refused(taught):
    detector, *_ = taught
    with pytest.raises(ValueError, match="20 x 20 pixels .train.patch., but settings.size = 16"):
        detector.init(jax.random.key(0), Batch(jnp.zeros((2, 20, 20, 1))))
