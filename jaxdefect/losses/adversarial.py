"""What adversarial training is made of: the players' losses, their average over time, a sign of collapse.

Images are [B, H, W, C] in [-1, 1], as a tanh draws them; `to_tanh` and `from_tanh` go between that and [0, 1].
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxdefect import parallel


def to_tanh(images: jax.Array) -> jax.Array:
    """[0, 1] -> [-1, 1]."""
    return 2 * images - 1


def from_tanh(images: jax.Array) -> jax.Array:
    """[-1, 1] -> [0, 1]."""
    return (images + 1) / 2


def gan_loss(logits: jax.Array, real: bool) -> jax.Array:
    """Binary cross-entropy of calling all of `logits` (any shape) real, or fake. A scalar.

    A discriminator descends `gan_loss(D(x), True) + gan_loss(D(G(z)), False)`; a generator, not saturating,
    `gan_loss(D(G(z)), True)`. Source: Goodfellow et al. 2014.
    """
    return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, jnp.full_like(logits, float(real))))


def gradient_penalty(
    critic: Callable[[jax.Array], jax.Array], real: jax.Array, fake: jax.Array, keys: jax.Array
) -> jax.Array:
    """(|grad critic(x)| - 1)^2 at a random place between each real and fake sample: [B].

    real, fake: images [B, H, W, C] or features [B, F]. critic: such a batch -> [B], each from its own sample alone (no
    batch normalisation). keys: one per sample, see `parallel.sample_keys`. Source: Gulrajani et al. 2017, Eq. 3.
    """
    place = jax.vmap(jax.random.uniform)(keys).reshape(-1, *(1,) * (real.ndim - 1))
    between = place * real + (1 - place) * fake
    slope = jax.grad(lambda x: jnp.sum(critic(x)))(between)
    norm = jnp.sqrt(jnp.sum(jnp.square(slope), tuple(range(1, slope.ndim))) + 1e-12)
    return jnp.square(norm - 1)


def kl(mean: jax.Array, log_variance: jax.Array, centre: jax.Array | float = 0.0) -> jax.Array:
    """KL divergence [B] of N(mean, exp(log_variance)) from N(centre, 1), summed over the latent axis."""
    return -0.5 * jnp.sum(1 + log_variance - jnp.square(mean - centre) - jnp.exp(log_variance), -1)


def sample_latent(mean: jax.Array, log_variance: jax.Array, keys: jax.Array) -> jax.Array:
    """A code [B, latent] from each N(mean, exp(log_variance)). keys: one per sample."""
    noise = jax.vmap(lambda key: jax.random.normal(key, mean.shape[1:]))(keys)
    return mean + jnp.exp(0.5 * log_variance) * noise


def moving_average(average: Any, params: Any, decay: float | jax.Array) -> Any:
    """The exponential moving average of a player's parameters, one step on. decay may be a tracer."""
    return jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, average, params)


def parts(batch: jax.Array, count: int) -> jax.Array:
    """[B, ...] -> [count, B / count, ...] for a critic's updates: part i holds every count-th sample from i on.

    So the parts are the same on any number of devices whose share of the batch divides by count.
    Raises ValueError where it does not.
    """
    if len(batch) % count:
        raise ValueError(f"train.batch gives each device {len(batch)} samples, which do not divide into the critic's "
                         f"{count} updates; use a multiple of {count} for each device")  # fmt: skip
    return jnp.swapaxes(batch.reshape(len(batch) // count, count, *batch.shape[1:]), 0, 1)


def moments(images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(mean, standard deviation) of each pixel over the whole batch, all devices': [H, W, C] each."""
    mean, square = parallel.mean((jnp.mean(images, 0), jnp.mean(jnp.square(images), 0)))
    return mean, jnp.sqrt(jnp.maximum(square - jnp.square(mean), 0) + 1e-12)


def batch_moments(generated: jax.Array, real: jax.Array) -> dict[str, jax.Array]:
    """How well drawn images match real ones as a crowd; metrics of a step, no gradients.

    moments: mean absolute difference of each pixel's mean and standard deviation over the batch, which falls as a
    generator learns and may stand as the `loss` of a method that compares no image with its reconstruction.
    spread: how much generated images differ from one another, over how much real ones do; near 0 the generator has
    collapsed.
    """
    generated, real = jax.lax.stop_gradient((generated, real))
    (mean, deviation), (real_mean, real_deviation) = moments(generated), moments(real)
    apart = jnp.mean(jnp.abs(mean - real_mean)) + jnp.mean(jnp.abs(deviation - real_deviation))
    return {"moments": apart, "spread": jnp.mean(deviation) / jnp.mean(real_deviation)}


def reconstruction_metrics(reconstruction: jax.Array, images: jax.Array) -> dict[str, jax.Array]:
    """Metrics of a reconstruction, both in [-1, 1]: `loss`, its mean absolute error in [0, 1], and `batch_moments`."""
    return {"loss": jnp.mean(jnp.abs(reconstruction - images)) / 2} | batch_moments(reconstruction, images)
