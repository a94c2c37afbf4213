"""Losses of players, the gradient penalty, averages, signs of collapse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from scipy import integrate

from jaxdefect import parallel
from jaxdefect.losses import adversarial


def on_one_device(function):
    return parallel.on_one_device(function)


def test_cross_entropies_are_those_of_probabilities():
    logits = jnp.asarray([-3.0, 0.0, 2.0])
    probabilities = 1 / (1 + np.exp(-np.asarray(logits)))
    np.testing.assert_allclose(adversarial.gan_loss(logits, True), -np.mean(np.log(probabilities)), rtol=1e-5)
    np.testing.assert_allclose(adversarial.gan_loss(logits, False), -np.mean(np.log(1 - probabilities)), rtol=1e-5)
    assert np.isfinite(adversarial.gan_loss(jnp.asarray([1e4, -1e4]), False))


def test_the_penalty_of_a_linear_critic_is_that_of_its_slope():
    slope = jax.random.normal(jax.random.key(0), (4, 4, 1))
    critic = lambda x: jnp.sum(x * slope, (1, 2, 3))
    keys = jax.random.split(jax.random.key(1), 6)
    real, fake = jnp.ones((6, 4, 4, 1)), jnp.zeros((6, 4, 4, 1))
    found = jnp.mean(adversarial.gradient_penalty(critic, real, fake, keys))
    np.testing.assert_allclose(found, (np.linalg.norm(slope) - 1) ** 2, rtol=1e-5)


def test_the_penalty_is_taken_between_real_and_fake():
    """The slope of |x|^2 / 2 is x: its length tells where it was taken."""
    critic = lambda x: jnp.sum(jnp.square(x), (1, 2, 3)) / 2
    keys = jax.random.split(jax.random.key(1), 50)
    penalties = adversarial.gradient_penalty(critic, jnp.full((50, 2, 2, 1), 3.0), jnp.full((50, 2, 2, 1), 1.0), keys)
    found = jnp.mean(penalties)
    places = 1 + 2 * np.asarray(jax.vmap(jax.random.uniform)(keys))
    np.testing.assert_allclose(found, np.mean((2 * places - 1) ** 2), rtol=1e-5)
    assert 1 < found < 25  # Not all at one end.


def test_the_penalty_of_equal_images_has_gradients():
    critic = lambda x: jnp.sum(x * 0, (1, 2, 3))
    keys = jax.random.split(jax.random.key(0), 2)
    image = jnp.ones((2, 2, 2, 1))
    penalty = lambda scale: jnp.mean(adversarial.gradient_penalty(lambda x: scale * critic(x), image, image, keys))
    assert np.isfinite(jax.grad(penalty)(1.0))


def test_divergence_from_the_standard_normal():
    mean, variance = np.array([[0.5, -1.0]]), np.array([[0.3, 2.0]])
    expected = sum(
        scipy.stats.norm(m, np.sqrt(v)).expect(
            lambda x, m=m, v=v: scipy.stats.norm(m, np.sqrt(v)).logpdf(x) - scipy.stats.norm.logpdf(x)
        )
        for m, v in zip(mean[0], variance[0], strict=True)
    )
    np.testing.assert_allclose(adversarial.kl(jnp.asarray(mean), jnp.log(variance)), expected, rtol=1e-4)


def test_a_moving_average_forgets_at_its_pace():
    average = {"w": jnp.zeros(2)}
    for _ in range(10):
        average = adversarial.moving_average(average, {"w": jnp.ones(2)}, 0.9)
    np.testing.assert_allclose(average["w"], 1 - 0.9**10, rtol=1e-6)


def test_parts_of_a_batch_are_the_same_on_any_number_of_devices():
    batch = jnp.arange(24)
    whole = adversarial.parts(batch, 3)
    shares = [adversarial.parts(share, 3) for share in np.split(batch, 2)]
    np.testing.assert_array_equal(whole, np.concatenate(shares, 1))
    with pytest.raises(ValueError, match="8 samples, which do not divide into the critic's 3 updates"):
        adversarial.parts(batch[:8], 3)


def test_a_collapsed_generator_shows_no_spread():
    real = jax.random.uniform(jax.random.key(0), (32, 8, 8, 1), minval=-1)
    measure = on_one_device(adversarial.batch_moments)
    assert float(measure(real, real)["moments"]) < 1e-6 and float(measure(real, real)["spread"]) == pytest.approx(1)
    same = jnp.broadcast_to(real[:1], real.shape)
    assert float(measure(same, real)["spread"]) < 0.01
    assert float(measure(same, real)["moments"]) > 0.3


def test_images_go_to_tanh_and_back():
    images = jnp.asarray([0.0, 0.25, 1.0])
    np.testing.assert_array_equal(adversarial.to_tanh(images), [-1, -0.5, 1])
    np.testing.assert_allclose(adversarial.from_tanh(adversarial.to_tanh(images)), images)


@pytest.mark.parametrize("mean, log_variance, centre", [(0.3, -1.0, -0.5), (2.0, 0.7, 2.0), (-1.0, 0.0, 1.5)])
def test_the_divergence_equals_its_integral(mean, log_variance, centre):
    one, other = scipy.stats.norm(mean, np.exp(log_variance / 2)), scipy.stats.norm(centre, 1)
    wanted, _ = integrate.quad(lambda z: one.pdf(z) * (one.logpdf(z) - other.logpdf(z)), -12, 12)
    found = adversarial.kl(jnp.full((1, 3), mean), jnp.full((1, 3), log_variance), jnp.full((1, 3), centre))
    np.testing.assert_allclose(found, [3 * wanted], rtol=1e-4, atol=1e-6)


def test_the_penalty_is_that_of_the_slope():
    slope = jnp.asarray([3.0, 4.0])
    x = jax.random.normal(jax.random.key(0), (5, 2))
    found = adversarial.gradient_penalty(lambda x: x @ slope, x, -x, jax.random.split(jax.random.key(1), 5))
    np.testing.assert_allclose(found, np.full(5, (5 - 1) ** 2), rtol=1e-5)
