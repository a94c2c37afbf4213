"""CVAE-GAN: its score, its critic, active negatives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import structural_similarity

import jaxdefect
from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.detectors import cvae_gan
from tests.contract.steps import textures, tiny

pytestmark = pytest.mark.drill  # Its networks take long to compile; tests/contract has it among the fast ones.


@functools.cache
def program():
    """(state, images [16, 16, 16, 1], step) of the tiny config with active negatives.

    step: (weight of the negatives, state, key) -> (state, metrics), compiled once.
    """
    detector, config = tiny("cvae_gan", negatives=True)
    images = jnp.asarray(np.stack(textures(16, config.settings.size)), jnp.float32) / 255
    state = jax.jit(detector.init)(jax.random.key(0), Batch(images))

    def step(negative, state, key):
        other = jaxdefect.load("cvae_gan")(**(config.settings.to_dict() | {"negative": negative}))
        return other.step(state, Batch(images), key)

    return state, images, jax.jit(parallel.on_one_device(step))


@functools.cache
def trained():
    """(state, metrics) after 30 steps, the negatives weighing nothing."""
    state, _, step = program()
    for i in range(30):
        state, metrics = step(0.0, state, jax.random.key(i))
    return state, metrics


def test_the_score_is_reconstruction_loss_and_features():
    (state, _), images = trained(), program()[1]
    config = tiny("cvae_gan")[1]
    settings = config.settings.to_dict()
    score = jax.jit(lambda w: jaxdefect.load("cvae_gan")(**(settings | {"feature": w})).score(state, images))
    scored = {w: score(w) for w in (0.0, 0.1, 1.0)}
    rebuilt = np.asarray(scored[0.0].reconstruction)
    options = {"gaussian_weights": True, "use_sample_covariance": False, "data_range": 1.0, "full": True}
    pairs = zip(np.asarray(images)[..., 0], rebuilt[..., 0], strict=True)
    alike = [structural_similarity(a, b, **options)[1][5:-5, 5:-5].mean() for a, b in pairs]
    by_hand = np.abs(images - rebuilt).mean((1, 2, 3)) + 1 - np.array(alike)
    np.testing.assert_allclose(scored[0.0].image, by_hand, rtol=1e-3)
    critic = cvae_gan.Critic(config.settings.critic_width, config.settings.cap)
    features = lambda x: np.asarray(critic.apply({"params": state.critic.params}, 2 * x - 1)[1])
    apart = np.square(features(images) - features(rebuilt)).mean((1, 2, 3))
    np.testing.assert_allclose(scored[1.0].image - scored[0.0].image, apart, rtol=1e-2, atol=1e-5)
    np.testing.assert_allclose(scored[0.1].image, by_hand + 0.1 * apart, rtol=1e-3)


def test_the_critic_steepens_towards_a_slope_of_one():
    state, images, _ = program()
    config = tiny("cvae_gan")[1]
    critic = cvae_gan.Critic(config.settings.critic_width, config.settings.cap)

    def slope(params):
        gradient = jax.grad(lambda x: critic.apply({"params": params}, x)[0].sum())(2 * images - 1)
        return float(jnp.sqrt(jnp.square(gradient).sum((1, 2, 3))).mean())

    assert slope(state.critic.params) < 0.1
    assert slope(trained()[0].critic.params) > 0.5


def test_active_negatives_teach_the_encoder_alone():
    state, _, step = program()
    key = jax.random.key(7)
    without, with_negatives = (step(weight, state, key)[0].autoencoder.params for weight in (0.0, 100.0))
    same = jax.tree.map(lambda a, b: bool(jnp.allclose(a, b, atol=1e-6)), without, with_negatives)
    assert all(jax.tree.leaves(same["decoder"]))
    assert not any(jax.tree.leaves(same["encoder"]))


def test_active_negatives_give_drawn_images_a_divergence():
    _, _, step = program()
    state = trained()[0]
    lacking = step(0.0, state, jax.random.key(0))[1]["lacking"]
    for i in range(30):
        state, metrics = step(10.0, state, jax.random.key(100 + i))
    assert metrics["lacking"] < 0.8 * lacking


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 48}, "settings.size = 48"),
        ({"size": 8}, "settings.size = 8 .* use 16"),
        ({"critic_steps": 0}, "settings.critic_steps = 0"),
        ({"box": 4}, "settings.box = 4"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        tiny("cvae_gan", **settings)
