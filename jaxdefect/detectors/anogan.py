"""AnoGAN: the latent vector that draws an image best is searched for; a defect is what even that cannot draw.

A DCGAN of normal images is trained as usual. To score an image its networks are frozen, and Adam moves a latent
vector until what the generator makes of it looks like the image, to the eye and to the discriminator.

Use it to reproduce; every image is searched for in hundreds of steps, and an encoder finds it in one.

Source: Schlegl, Seebock, Waldstein, Schmidt-Erfurth, Langs, "Unsupervised Anomaly Detection with Generative Adversarial
Networks to Guide Marker Discovery", Information Processing in Medical Imaging, 2017.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxdefect import parallel
from jaxdefect.detector import Batch, Detector, Scores, check_size
from jaxdefect.losses.adversarial import batch_moments, from_tanh, gan_loss, to_tanh
from jaxdefect.maps import residuals
from jaxdefect.maps.reconstruction import reconstruction_scores
from jaxdefect.networks import dcgan
from jaxdefect.networks.blocks import apply
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

BREAKS = ((0.4, 0.1), (0.6, 0.05))  # after this share of a search, so much of its first rate: .01, .001, .0005


def pace(i: jax.Array, steps: int) -> jax.Array:
    """The learning rate of step i of a search of so many steps, as a share of the first one."""
    share = jnp.ones(())
    for after, part in BREAKS:
        share = jnp.where(i < round(after * steps), share, part)
    return share


class State(NamedTuple):
    generator: Player
    discriminator: Player


def make(
    *,
    size: int,
    width: int,
    critic_width: int,
    latent: int,
    learning_rate: float,
    feature: float,
    search_steps: int,
    search_rate: float,
    box: int,
) -> Detector:
    """AnoGAN. Floats (learning_rate, feature, search_rate) may be tracers.

    size: pixels a side of the images trained on, a power of two from 8 on; others are resized to it when scored.
    width, critic_width: channels of the outermost maps of generator and discriminator (64). latent: numbers in z (200).
    feature: weight lambda of the discriminator's features in what is searched for and scored; pixels have the rest
    (.1). search_steps: steps of Adam for each image (500). search_rate: their first learning rate, a tenth after 40 %
    of them, a twentieth after 60 % (.01). box: side of the mean filter over the residual, pixels.
    """
    _check(size=size, search_steps=search_steps, box=box)
    discriminator = dcgan.Encoder(1, critic_width)
    optimizer = optim.adam(learning_rate, b1=0.5)

    def init(key: jax.Array, batch: Batch) -> State:
        check_size(batch, size)
        keys = jax.random.split(key)
        z = jnp.zeros((len(batch.image), latent))
        generator_variables = dcgan.Decoder(size, batch.image.shape[-1], width).init(keys[0], z, train=True)
        critic_variables = discriminator.init(keys[1], batch.image, train=True)
        return State(
            optim.init_player(optimizer, generator_variables), optim.init_player(optimizer, critic_variables)
        )  # fmt: skip

    def draw(params, batch_stats, z, channels, train):
        return apply(dcgan.Decoder(size, channels, width), params, batch_stats, z, train=train)

    def discriminate(params, batch_stats, images, train=True):
        return apply(discriminator, params, batch_stats, images, train=train)

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        real, critic = to_tanh(batch.clean), state.discriminator
        keys = parallel.sample_keys(key, len(real))
        z = jax.vmap(lambda key: jax.random.normal(key, (latent,)))(keys)
        generate = lambda params: draw(params, state.generator.batch_stats, z, real.shape[-1], True)

        def critic_loss(params):
            (real_logits, _), stats = discriminate(params, critic.batch_stats, real)
            (fake_logits, _), stats = discriminate(params, stats, generate(state.generator.params)[0])
            loss = gan_loss(real_logits, True) + gan_loss(fake_logits, False)
            return loss, (stats, {"critic_loss": loss})

        def generator_loss(params):
            fake, stats = generate(params)
            (logits, _), _ = discriminate(updated_critic.params, updated_critic.batch_stats, fake)
            loss, moments = gan_loss(logits, True), batch_moments(fake, real)
            return loss, (stats, {"loss": moments["moments"], "fooling": loss} | moments)

        updated_critic, critic_metrics = optim.update_player(optimizer, critic_loss, critic)
        generator, metrics = optim.update_player(optimizer, generator_loss, state.generator)
        return State(generator, updated_critic), metrics | critic_metrics

    def search(state: State, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(distances [B] between the images and those nearest to them that the generator draws, these images)."""
        generator, critic = state.generator, state.discriminator
        features = lambda x: discriminate(critic.params, critic.batch_stats, x, False)[0][1]
        wanted = features(images)

        def distance(z):
            drawn, _ = draw(generator.params, generator.batch_stats, z, images.shape[-1], False)
            pixels = jnp.sum(jnp.abs(images - drawn), (1, 2, 3))
            return (1 - feature) * pixels + feature * jnp.sum(jnp.abs(wanted - features(drawn)), (1, 2, 3)), drawn

        adam = optax.scale_by_adam()

        def move(i, carry):
            z, moments = carry
            direction, moments = adam.update(jax.grad(lambda z: jnp.sum(distance(z)[0]))(z), moments)
            return z - search_rate * pace(i, search_steps) * direction, moments

        # The same start for every image, so that a score depends on nothing else.
        start = jax.random.truncated_normal(jax.random.key(0), -2, 2, (latent,))
        start = jnp.broadcast_to(start, (len(images), latent))
        z, _ = lax.fori_loop(0, search_steps, move, (start, adam.init(start)))
        return distance(z)

    def score(state: State, images: jax.Array) -> Scores:
        distances, drawn = search(state, to_tanh(residuals.resize(images, size, size)))
        return reconstruction_scores(images, distances, from_tanh(drawn), residual=residuals.absolute, box=box)

    return Detector(init, step, score)


def _check(*, size: int, search_steps: int, box: int) -> None:
    dcgan.check_size(size)
    if search_steps < 1:
        raise ValueError(f"settings.search_steps = {search_steps}; without a search every image is compared with the "
                         "same drawn one: use 1 or more, such as 500")  # fmt: skip
    residuals.check_box(box)
