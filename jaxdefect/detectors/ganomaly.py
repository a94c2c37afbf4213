"""GANomaly: an image is encoded, reconstructed and encoded again; it is defective if the two encodings differ.

A generator of encoder, decoder and second encoder; a discriminator, whose features of an image and of its
reconstruction are matched. The decoder has learned to draw normal images only, so that what it draws of a defective
image is encoded otherwise.

Use it for parts that look alike: quick, and its coarse map is among the best of the adversarial methods.

Source: Akcay, Atapour-Abarghouei, Breckon, "GANomaly: Semi-Supervised Anomaly Detection via Adversarial Training", ACCV
2018.
"""

from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect import parallel
from jaxdefect.detector import Batch, Detector, Scores, check_size
from jaxdefect.losses import balance
from jaxdefect.losses.adversarial import from_tanh, gan_loss, reconstruction_metrics, to_tanh
from jaxdefect.maps import residuals
from jaxdefect.maps.reconstruction import reconstruction_scores
from jaxdefect.networks import dcgan
from jaxdefect.networks.blocks import apply
from jaxdefect.training import optim
from jaxdefect.training.optim import Player


class Generator(nn.Module):
    """Encoder, decoder, encoder. [B, S, S, C] in [-1, 1] -> (reconstructions, both latents [B, latent])."""

    latent: int
    width: int  # channels next to the image; 64 in the paper
    cap: int  # channels at most

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array, jax.Array]:
        encoder = lambda: dcgan.Encoder(self.latent, self.width, self.cap)
        encoded, _ = encoder()(images, train=train)
        reconstruction = dcgan.Decoder(*images.shape[2:], self.width, self.cap)(encoded, train=train)
        encoded_again, _ = encoder()(reconstruction, train=train)
        return reconstruction, encoded, encoded_again


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
    critic_balance: Sequence[str],
    r1: float,
    learning_rate: float,
    box: int,
) -> Detector:
    """GANomaly. Floats (adversarial, contextual, encoding, r1, learning_rate) may be tracers.

    size: pixels a side of the images trained on, a power of two from 8 on; others are resized to it when scored.
    latent: numbers an image is encoded in (100). width: channels of the maps next to the image (64), doubling inwards,
    cap at most (512), in all four networks. adversarial, contextual, encoding: weights of the losses of matched
    features, of pixels and of latents (1, 50, 1). critic_balance: what keeps the discriminator from winning (see
    `losses.balance`), none as published; r1: the weight of r1 there. box: side of the mean filter over the map, pixels.
    """
    dcgan.check_size(size)
    residuals.check_box(box)
    balance.check(critic_balance)
    generator = Generator(latent, width, cap)
    discriminator = dcgan.Encoder(1, width, cap, spectral="spectral" in critic_balance)
    optimizer = optim.adam(learning_rate, b1=0.5)

    def init(key: jax.Array, batch: Batch) -> State:
        check_size(batch, size)
        keys = jax.random.split(key)
        nets = (generator, discriminator)
        variables = [net.init(key, batch.image, train=True) for net, key in zip(nets, keys, strict=True)]
        return State(*(optim.init_player(optimizer, drawn) for drawn in variables))

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        keys = parallel.sample_keys(key, len(batch.image))
        show = lambda x: balance.shown(x, keys, critic_balance)
        images, clean = to_tanh(batch.image), to_tanh(batch.clean)
        critic = state.discriminator
        generate = lambda params, x: apply(generator, params, state.generator.batch_stats, x, train=True)
        discriminate = lambda params, stats, x: apply(discriminator, params, stats, x, train=True)

        def critic_loss(params):
            (reconstruction, _, _), _ = generate(state.generator.params, images)
            (real, _), stats = discriminate(params, critic.batch_stats, show(clean))
            (fake, _), stats = discriminate(params, stats, show(reconstruction))
            told = (gan_loss(real, True) + gan_loss(fake, False)) / 2
            verdict = lambda x: discriminate(params, critic.batch_stats, x)[0][0]
            slope = r1 * balance.r1(verdict, show(clean)) if "r1" in critic_balance else 0
            return told + slope, (stats, {"critic_loss": told})

        def generator_loss(params):
            (reconstruction, encoded, encoded_again), stats = generate(params, images)
            if batch.target is not None:  # Else the encoder learns to overlook flaws, and the score sees none.
                (_, encoded, _), _ = generate(params, clean)
            features = lambda x: discriminate(updated_critic.params, updated_critic.batch_stats, show(x))[0][1]
            matching = jnp.mean(jnp.square(features(reconstruction) - features(clean)))
            error = jnp.mean(jnp.abs(reconstruction - clean))
            recoded = jnp.mean(jnp.square(encoded_again - encoded))
            loss = adversarial * matching + contextual * error + encoding * recoded
            metrics = {"matching": matching, "recoded": recoded}
            return loss, (stats, reconstruction_metrics(reconstruction, clean) | metrics)

        updated_critic, critic_metrics = optim.update_player(optimizer, critic_loss, critic)
        updated_generator, metrics = optim.update_player(optimizer, generator_loss, state.generator)
        return State(updated_generator, updated_critic), metrics | critic_metrics

    def score(state: State, images: jax.Array) -> Scores:
        """The image score is the mean square of the latent difference, as in the authors' code."""
        player = state.generator
        inputs = to_tanh(residuals.resize(images, size, size))
        outputs, _ = apply(generator, player.params, player.batch_stats, inputs, train=False)
        reconstruction, encoded, encoded_again = outputs
        apart = jnp.mean(jnp.square(encoded_again - encoded), -1)
        return reconstruction_scores(images, apart, from_tanh(reconstruction), residual=residuals.absolute, box=box)

    return Detector(init, step, score)
