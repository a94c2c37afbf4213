"""GANomaly: an image is encoded, redrawn and encoded again; where the two encodings differ, it is no normal one.

A generator of encoder, decoder and second encoder; a discriminator, whose features of an image and of its
reconstruction are matched. The decoder has learnt to draw normal images only, so what it draws of a defective one
encodes elsewhere.

Use it for parts that look alike: quick, and its coarse map is among the best of the adversarial methods.

Source: Akcay, Atapour-Abarghouei, Breckon, "GANomaly: Semi-Supervised Anomaly Detection via Adversarial Training", ACCV
2018.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect.detector import Batch, Detector, Scores, check_size
from jaxdefect.losses.adversarial import batch_moments, from_tanh, gan_loss, to_tanh
from jaxdefect.maps import residuals
from jaxdefect.networks import dcgan
from jaxdefect.networks.blocks import apply
from jaxdefect.training import optim
from jaxdefect.training.optim import Player


class Generator(nn.Module):
    """Encoder, decoder, encoder. [B, S, S, C] in [-1, 1] -> (the same redrawn, both latents [B, latent])."""

    latent: int
    width: int  # channels next to the image; 64 in the paper
    cap: int  # channels at most

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array, jax.Array]:
        encoder = lambda: dcgan.Encoder(self.latent, self.width, self.cap)
        encoded, _ = encoder()(images, train=train)
        rebuilt = dcgan.Decoder(*images.shape[2:], self.width, self.cap)(encoded, train=train)
        encoded_again, _ = encoder()(rebuilt, train=train)
        return rebuilt, encoded, encoded_again


class State(NamedTuple):
    generator: Player
    discriminator: Player


def make(
    *,
    size: int,
    latent: int,
    width: int,
    cap: int,
    adversarial: float,
    contextual: float,
    encoding: float,
    learning_rate: float,
    box: int,
) -> Detector:
    """GANomaly. Floats (adversarial, contextual, encoding, learning_rate) may be tracers.

    size: pixels a side of the images trained on, a power of two from 8 on; others are resized to it when scored.
    latent: numbers an image is encoded in (100). width: channels of the maps next to the image (64), doubling
    inwards, cap at most (512), in all four networks. adversarial, contextual, encoding: weights of the losses of
    matched features, of pixels and of latents (1, 50, 1). box: side of the mean filter over the map, pixels.
    """
    _check(size=size, box=box)
    generator, discriminator = Generator(latent, width, cap), dcgan.Encoder(1, width, cap)
    optimizer = optim.adam(learning_rate, b1=0.5)

    def init(key: jax.Array, batch: Batch) -> State:
        check_size(batch, size)
        keys = jax.random.split(key)
        nets = (generator, discriminator)
        drawn = (net.init(own, batch.image, train=True) for net, own in zip(nets, keys, strict=True))
        return State(*(optim.init_player(optimizer, variables) for variables in drawn))

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.
        images = to_tanh(batch.image)
        critic = state.discriminator
        redraw = lambda params: apply(generator, params, state.generator.batch_stats, images, train=True)
        discriminate = lambda params, stats, x: apply(discriminator, params, stats, x, train=True)

        def critic_loss(params):
            (rebuilt, _, _), _ = redraw(state.generator.params)
            (real, _), stats = discriminate(params, critic.batch_stats, images)
            (fake, _), stats = discriminate(params, stats, rebuilt)
            loss = (gan_loss(real, True) + gan_loss(fake, False)) / 2
            return loss, (stats, {"critic_loss": loss})

        def generator_loss(params):
            (rebuilt, encoded, encoded_again), stats = redraw(params)
            (_, wanted), _ = discriminate(judge.params, judge.batch_stats, images)
            (_, found), _ = discriminate(judge.params, judge.batch_stats, rebuilt)
            matching = jnp.mean(jnp.square(found - wanted))
            redrawn = jnp.mean(jnp.abs(rebuilt - images))
            recoded = jnp.mean(jnp.square(encoded_again - encoded))
            loss = adversarial * matching + contextual * redrawn + encoding * recoded
            metrics = {"loss": redrawn / 2, "matching": matching, "recoded": recoded}
            return loss, (stats, metrics | batch_moments(rebuilt, images))

        judge, of_critic = optim.update_player(optimizer, critic_loss, critic)
        own, metrics = optim.update_player(optimizer, generator_loss, state.generator)
        return State(own, judge), metrics | of_critic

    def score(state: State, images: jax.Array) -> Scores:
        """The image score is the mean square of the latent difference, as in the authors' code."""
        own = state.generator
        seen = residuals.resize(images, size, size)
        outputs, _ = apply(generator, own.params, own.batch_stats, to_tanh(seen), train=False)
        rebuilt, encoded, encoded_again = outputs
        rebuilt = from_tanh(rebuilt)
        found = residuals.box_filter(residuals.absolute(seen, rebuilt), box)
        back = lambda x: residuals.resize(x, *images.shape[1:3])
        return Scores(jnp.mean(jnp.square(encoded_again - encoded), -1), back(found), back(rebuilt))

    return Detector(init, step, score)


def _check(*, size: int, box: int) -> None:
    dcgan.check_size(size)
    residuals.check_box(box)
