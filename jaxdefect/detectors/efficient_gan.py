"""Efficient-GAN: an encoder learns, against the same discriminator, to undo a generator; together they reconstruct.

The discriminator of this BiGAN sees an image with its latent vector: (x, E(x)) is real, (G(z), z) is drawn. Where it
cannot tell them apart E inverts G. An image is scored by how far G(E(x)) is from it, in pixels and in the features
that the discriminator has of both.

Use it to reproduce a BiGAN; it is quick, and its maps are coarse.

Source: Zenati, Foo, Lecouat, Manek, Chandrasekhar, "Efficient GAN-Based Anomaly Detection", 2018; layers and constants
as in the authors' code for MNIST.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect import parallel
from jaxdefect.detector import Batch, Detector, Scores, check_multiple, check_size
from jaxdefect.losses import balance
from jaxdefect.losses.adversarial import batch_moments, from_tanh, gan_loss, moving_average, to_tanh
from jaxdefect.maps import residuals
from jaxdefect.maps.reconstruction import reconstruction_scores
from jaxdefect.networks.blocks import DCGAN_INIT, Conv, Deconv, apply, batch_norm, spectral
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

leaky = functools.partial(nn.leaky_relu, negative_slope=0.1)
Dense = functools.partial(nn.Dense, kernel_init=DCGAN_INIT)


class Encoder(nn.Module):
    """[B, H, W, C] in [-1, 1] -> [B, latent]. H and W are multiples of 4."""

    latent: int
    width: int  # channels of the second layer; 64 in the paper

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        conv = functools.partial(Conv, size=3, bias=False)  # Normalisation takes the mean away again.
        x = conv(self.width // 2, stride=1)(images)  # Linear, as in the authors' code.
        for times in (1, 2):
            x = leaky(batch_norm(train=train)(conv(times * self.width)(x)))
        return Dense(self.latent)(x.reshape(len(x), -1))


class Generator(nn.Module):
    """[B, latent] -> [B, size, size, channels] in [-1, 1]."""

    size: int  # pixels, a multiple of 4
    channels: int
    width: int  # channels of the last but one image; 64 in the paper
    hidden: int  # of the first layer; 1024 in the paper

    @nn.compact
    def __call__(self, latents: jax.Array, *, train: bool) -> jax.Array:
        norm = lambda x: nn.relu(batch_norm(train=train)(x))
        side = self.size // 4
        x = norm(Dense(self.hidden, use_bias=False)(latents))
        x = norm(Dense(side * side * 2 * self.width, use_bias=False)(x))
        x = norm(Deconv(self.width, bias=False)(x.reshape(-1, side, side, 2 * self.width)))
        return jnp.tanh(Deconv(self.channels)(x))


class Discriminator(nn.Module):
    """([B, H, W, C] in [-1, 1], [B, latent]) -> (logits [B, 1], features [B, hidden] of both together).

    In training each layer's output is dropped with probability `rate`, drawn from the samples' own `keys`.
    """

    width: int  # channels of both convolutions; 64 in the paper
    hidden: int  # of the joint layer, twice that of the latent branch; 1024 in the paper
    spectral: bool  # spectral in place of batch normalisation

    @nn.compact
    def __call__(
        self, images: jax.Array, latents: jax.Array, rate: Any = 0.0, keys: Any = None, *, train: bool
    ) -> tuple[jax.Array, jax.Array]:
        fold = jax.vmap(jax.random.fold_in, (0, None))
        drop = lambda x, layer: dropped(x, rate, fold(keys, layer)) if train else x
        bounded = functools.partial(spectral, use=self.spectral, train=train)
        norm = (lambda y: y) if self.spectral else batch_norm(train=train)
        x = drop(leaky(bounded(Conv(self.width))(images)), 0)
        x = drop(leaky(norm(bounded(Conv(self.width, bias=self.spectral))(x))), 1)
        z = drop(leaky(bounded(Dense(self.hidden // 2))(latents)), 2)
        features = drop(leaky(bounded(Dense(self.hidden))(jnp.concatenate([x.reshape(len(x), -1), z], -1))), 3)
        return bounded(Dense(1))(features), features


def dropped(x: jax.Array, rate: float | jax.Array, keys: jax.Array) -> jax.Array:
    """[B, ...] with each number 0 with probability `rate`, else divided by 1 - rate; one key per sample."""
    kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, x.shape[1:]))(keys)
    return jnp.where(kept, x / (1 - rate), 0)


class Weights(NamedTuple):
    """What a network computes with: parameters and batch statistics."""

    params: Any
    batch_stats: Any


class State(NamedTuple):
    encoder: Player
    generator: Player
    discriminator: Player
    average: tuple[Weights, Weights, Weights]  # of the three over time; what scores


def make(
    *,
    size: int,
    width: int,
    hidden: int,
    latent: int,
    dropout: float,
    decay: float,
    feature: float,
    critic_balance: Sequence[str],
    r1: float,
    learning_rate: float,
    box: int,
) -> Detector:
    """Efficient-GAN. Floats (dropout, decay, feature, r1, learning_rate) may be tracers.

    size: pixels a side of the images trained on, a multiple of 4; others are resized to it when scored. width: channels
    of the convolutions (64). hidden: of the fully connected layers (1024). latent: length of z (200). dropout:
    probability in the discriminator (.5). decay: of the moving averages that score (.999), of weights and, our reading,
    of batch statistics alike. feature: weight of the features in the score (.1), pixels have the rest. critic_balance:
    what keeps the discriminator from winning (see `losses.balance`), none as published; r1: the weight of r1 there.
    box: side of the mean filter over the residual, pixels. `loss` compares G(z) with the images as crowds
    (`batch_moments`): the error of G(E(x)), the metric `reconstruction`, need not fall in a BiGAN.
    """
    _check(size=size, width=width, hidden=hidden, box=box)
    balance.check(critic_balance)
    encoder, discriminator = Encoder(latent, width), Discriminator(width, hidden, "spectral" in critic_balance)
    generator_like = lambda images: Generator(size, images.shape[-1], width, hidden)
    optimizer = optim.adam(learning_rate, b1=0.5)

    def init(key: jax.Array, batch: Batch) -> State:
        images = batch.image
        check_size(batch, size)
        z = jnp.zeros((len(images), latent))
        inputs = ((encoder, (images,)), (generator_like(images), (z,)), (discriminator, (images, z)))
        drawn = [net.init(k, *x, train=False) for (net, x), k in zip(inputs, jax.random.split(key, 3), strict=True)]
        players = [optim.init_player(optimizer, variables) for variables in drawn]
        return State(*players, tuple(map(_weights, players)))

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        images, real, generator = to_tanh(batch.image), to_tanh(batch.clean), generator_like(batch.image)
        noise_key, *drop_keys = (parallel.sample_keys(k, len(real)) for k in jax.random.split(key, 3))
        noise = jax.vmap(lambda k: jax.random.normal(k, (latent,)))(noise_key)
        encode = lambda params: apply(encoder, params, state.encoder.batch_stats, images, train=True)
        draw = lambda params: apply(generator, params, state.generator.batch_stats, noise, train=True)

        show = lambda x: balance.shown(x, noise_key, critic_balance)

        def discriminate(params, batch_stats, images, latents, keys):
            (logits, _), stats = apply(discriminator, params, batch_stats, images, latents, dropout, keys, train=True)
            return logits, stats

        def discriminator_loss(params):
            (codes, _), (fakes, _) = encode(state.encoder.params), draw(state.generator.params)
            before, keys = state.discriminator.batch_stats, drop_keys[0]
            encoded, stats = discriminate(params, before, show(real), codes, keys)
            drawn, stats = discriminate(params, stats, show(fakes), noise, keys)
            told = gan_loss(encoded, True) + gan_loss(drawn, False)
            verdict = lambda x: discriminate(params, before, x, codes, keys)[0]
            slope = r1 * balance.r1(verdict, show(real)) if "r1" in critic_balance else 0
            return told + slope, (stats, {"critic_loss": told})

        def encoder_loss(params):
            codes, stats = encode(params)
            logits, _ = discriminate(critic.params, critic.batch_stats, show(real), codes, drop_keys[1])
            loss = gan_loss(logits, False)
            return loss, (stats, (codes, {"encoder_loss": loss}))

        def generator_loss(params):
            fakes, stats = draw(params)
            logits, _ = discriminate(critic.params, critic.batch_stats, show(fakes), noise, drop_keys[1])
            loss = gan_loss(logits, True)
            moments = batch_moments(fakes, real)
            return loss, (stats, moments | {"loss": moments["moments"], "fooling": loss})

        critic, metrics = optim.update_player(optimizer, discriminator_loss, state.discriminator)
        inverse, (codes, encoder_metrics) = optim.update_player(optimizer, encoder_loss, state.encoder)
        updated, generator_metrics = optim.update_player(optimizer, generator_loss, state.generator)
        # Its statistics take in reconstructions as well: they are what it meets when images are scored.
        reconstruction, stats = apply(generator, state.generator.params, updated.batch_stats, codes, train=True)
        updated = updated._replace(batch_stats=stats)
        error = jnp.mean(jnp.abs(reconstruction - real)) / 2
        average = moving_average(state.average, tuple(map(_weights, (inverse, updated, critic))), decay)
        metrics |= encoder_metrics | generator_metrics | {"reconstruction": error}
        return State(inverse, updated, critic, average), metrics

    def score(state: State, images: jax.Array) -> Scores:
        encoder_weights, generator_weights, critic_weights = state.average
        inputs = to_tanh(residuals.resize(images, size, size))
        codes, _ = apply(encoder, *encoder_weights, inputs, train=False)
        reconstruction, _ = apply(generator_like(images), *generator_weights, codes, train=False)
        judge = lambda x: apply(discriminator, *critic_weights, x, codes, train=False)[0][1]
        pixels = jnp.sum(jnp.abs(inputs - reconstruction), (1, 2, 3))
        features = jnp.sum(jnp.abs(judge(inputs) - judge(reconstruction)), -1)
        distance = (1 - feature) * pixels + feature * features
        return reconstruction_scores(
            images, distance, from_tanh(reconstruction), residual=residuals.absolute, box=box
        )  # fmt: skip

    return Detector(init, step, score)


def _weights(player: Player) -> Weights:
    return Weights(player.params, player.batch_stats)


def _check(*, size: int, width: int, hidden: int, box: int) -> None:
    check_multiple(size, 4)
    for field, value in (("width", width), ("hidden", hidden)):
        if value < 2 or value % 2:
            raise ValueError(f"settings.{field} = {value}; the narrowest layers have half of it: use an even number")
    residuals.check_box(box)
