"""f-AnoGAN: its two phases, and what is scored of an image's way through the latent space."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxdefect
from jaxdefect.detectors import f_anogan
from jaxdefect.training import feed, loop
from jaxdefect.training.checkpoint import Checkpoints
from tests.contract.steps import textures, tiny, weights

pytestmark = pytest.mark.drill  # Its networks take long to compile; tests/contract has it among the fast ones.

SWITCH = 2  # steps of the first phase
DETECTOR, CONFIG = tiny("f_anogan", gan_steps=SWITCH)
SOURCE = feed.in_memory(textures(channels=CONFIG.data.channels), patch=CONFIG.train.patch)


def train_for(steps, **options):
    program = loop.one_run(DETECTOR, SOURCE, key=jax.random.key(0), batch=CONFIG.train.batch)
    return loop.fit(program, steps=steps, log_every=1, save_every=1, **options).state


@pytest.fixture(scope="module")
def history():
    """(metrics, state) after each of 40 steps; the state before them comes first, with None."""
    states = [(None, jax.device_get(train_for(0)))]
    train_for(40, on_log=lambda step, metrics, state: states.append((metrics, jax.device_get(state))))
    return states


def same(one, other):
    one, other = weights(one), weights(other)
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_the_encoder_waits_for_the_generator_and_then_leaves_it_alone(history):
    states = [state for _, state in history]
    for step, (before, after) in enumerate(zip(states, states[1:], strict=False)):
        first = step < SWITCH
        assert same(before.generator, after.generator) != first
        assert same(before.critic, after.critic) != first
        assert same(before.encoder, after.encoder) == first


def test_the_critic_is_updated_several_times_for_each_step_of_the_generator(history):
    count = lambda player: int(optax.tree_utils.tree_get(player.opt_state, "count"))
    last = history[-1][1]
    assert (count(last.generator), count(last.critic)) == (SWITCH, SWITCH * CONFIG.settings.critic_steps)


def test_a_run_resumed_before_the_switch_equals_an_unbroken_one_bit_for_bit(history, tmp_path):
    train_for(SWITCH - 1, checkpoints=Checkpoints(tmp_path))
    resumed = train_for(SWITCH + 3, checkpoints=Checkpoints(tmp_path))
    assert same(resumed, history[SWITCH + 3][1])


def test_the_encoder_finds_its_way_back(history):
    losses = [metrics["loss"] for metrics, _ in history[1 + SWITCH :]]
    assert np.mean(losses[-5:]) < 0.95 * np.mean(losses[:5])


def test_the_score_is_what_the_way_through_z_loses_of_pixels_and_features(history):
    settings, state = CONFIG.settings, history[-1][1]
    images = jnp.asarray(np.stack(textures(3, settings.size, CONFIG.data.channels, seed=1)), jnp.float32) / 255
    found = jax.jit(DETECTOR.score)(state, images)
    critic = f_anogan.Tower(settings.width, 1, critic=True)
    features = jax.jit(lambda x: critic.apply({"params": state.critic.params}, 2 * x - 1, train=False)[1])
    pixels = np.mean(np.square(2 * (images - found.reconstruction)), (1, 2, 3))  # twice as far apart in [-1, 1]
    apart = np.mean(np.square(features(images) - features(found.reconstruction)), -1)
    assert (apart > 1e-4).all()
    np.testing.assert_allclose(found.image, pixels + settings.kappa * apart, rtol=1e-3)


def test_the_critic_judges_every_image_by_itself(history):
    variables = {"params": history[-1][1].critic.params}
    images = jax.random.uniform(jax.random.key(0), (3, CONFIG.settings.size, CONFIG.settings.size, 1))
    critic = f_anogan.Tower(CONFIG.settings.width, 1, critic=True)
    judged = jax.jit(lambda x: critic.apply(variables, x, train=True)[0])  # Statistics to update would be an error.
    np.testing.assert_allclose(judged(images)[:1], judged(images[:1]), rtol=1e-4)


def test_settings_that_cannot_work_are_refused_with_a_remedy():
    make, settings = jaxdefect.load("f_anogan"), CONFIG.settings.to_dict()
    for changed, remedy in (
        ({"size": 48}, "such as 32 or 64"), ({"gan_steps": 0}, "fewer than train.steps"),
        ({"critic_steps": 0}, "such as 5"), ({"box": 4}, "odd"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=remedy):
            make(**settings | changed)
