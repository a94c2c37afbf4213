"""AnoGAN: the latent vector that draws an image best is searched for; a defect is what even that one cannot draw.

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
        drawn = dcgan.Decoder(size, batch.image.shape[-1], width).init(keys[0], z, train=True)
        judge = discriminator.init(keys[1], batch.image, train=True)
        return State(optim.init_player(optimizer, drawn), optim.init_player(optimizer, judge))

    def draw(params, batch_stats, z, channels, train):
        return apply(dcgan.Decoder(size, channels, width), params, batch_stats, z, train=train)

    def judged(params, batch_stats, images, train=True):
        return apply(discriminator, params, batch_stats, images, train=train)

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        real, critic = to_tanh(batch.image), state.discriminator
        keys = parallel.sample_keys(key, len(real))
        z = jax.vmap(lambda own: jax.random.normal(own, (latent,)))(keys)
        redraw = lambda params: draw(params, state.generator.batch_stats, z, real.shape[-1], True)

        def critic_loss(params):
            (of_real, _), stats = judged(params, critic.batch_stats, real)
            (of_fake, _), stats = judged(params, stats, redraw(state.generator.params)[0])
            loss = gan_loss(of_real, True) + gan_loss(of_fake, False)
            return loss, (stats, {"critic_loss": loss})

        def generator_loss(params):
            fake, stats = redraw(params)
            (logits, _), _ = judged(judge.params, judge.batch_stats, fake)
            loss, alike = gan_loss(logits, True), batch_moments(fake, real)
            return loss, (stats, {"loss": alike["moments"], "fooling": loss} | alike)

        judge, of_critic = optim.update_player(optimizer, critic_loss, critic)
        own, metrics = optim.update_player(optimizer, generator_loss, state.generator)
        return State(own, judge), metrics | of_critic

    def search(state: State, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """([B] what the z found leaves; the images it draws)."""
        own, critic = state.generator, state.discriminator
        features = lambda x: judged(critic.params, critic.batch_stats, x, False)[0][1]
        wanted = features(images)

        def left(z):
            drawn, _ = draw(own.params, own.batch_stats, z, images.shape[-1], False)
            pixels = jnp.sum(jnp.abs(images - drawn), (1, 2, 3))
            return (1 - feature) * pixels + feature * jnp.sum(jnp.abs(wanted - features(drawn)), (1, 2, 3)), drawn

        adam = optax.scale_by_adam()

        def move(i, carry):
            z, moments = carry
            direction, moments = adam.update(jax.grad(lambda z: jnp.sum(left(z)[0]))(z), moments)
            return z - search_rate * pace(i, search_steps) * direction, moments

        # The same start for every image, so that a score depends on nothing else.
        start = jax.random.truncated_normal(jax.random.key(0), -2, 2, (latent,))
        start = jnp.broadcast_to(start, (len(images), latent))
        z, _ = lax.fori_loop(0, search_steps, move, (start, adam.init(start)))
        return left(z)

    def score(state: State, images: jax.Array) -> Scores:
        height, wide = images.shape[1:3]
        seen = to_tanh(residuals.resize(images, size, size))
        image, drawn = search(state, seen)
        drawn = jnp.clip(from_tanh(drawn), 0, 1)
        residual = residuals.box_filter(residuals.absolute(from_tanh(seen), drawn), box)
        back = lambda x: residuals.resize(x, height, wide)
        return Scores(image, back(residual), back(drawn))

    return Detector(init, step, score)


def _check(*, size: int, search_steps: int, box: int) -> None:
    dcgan.check_size(size)
    if search_steps < 1:
        raise ValueError(f"settings.search_steps = {search_steps}; without a search every image is compared with the "
                         "same one: use 1 or more, such as 500")  # fmt: skip
    residuals.check_box(box)
