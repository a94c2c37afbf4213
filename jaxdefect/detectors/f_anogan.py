"""f-AnoGAN: an encoder learns, after a Wasserstein GAN of normal images, where in its latent space an image lies.

First generator and critic are trained on normal images. Then both are frozen and the encoder is trained on the same
images to lead through the generator back to them (the paper's izi_f). A defect is what is lost on the way there and
back.

Use it where a GAN is wanted that judges in one pass.

Source: Schlegl, Seebock, Waldstein, Langs, Schmidt-Erfurth, "f-AnoGAN: Fast unsupervised anomaly detection with
generative adversarial networks", Medical Image Analysis 54, 2019.
"""

from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxdefect import parallel
from jaxdefect.detector import Batch, Detector, Scores, check_size
from jaxdefect.losses import balance
from jaxdefect.losses.adversarial import batch_moments, from_tanh, gradient_penalty, parts, to_tanh
from jaxdefect.maps import residuals
from jaxdefect.maps.reconstruction import reconstruction_scores
from jaxdefect.networks import dcgan
from jaxdefect.networks.blocks import Conv, apply, batch_norm
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

WIDEST = 8  # times `width`, the most channels of a layer
HE = nn.initializers.variance_scaling(2.0, "fan_avg", "uniform")  # before a ReLU; as Gulrajani et al. 2017 drew them
GLOROT = nn.initializers.glorot_uniform()  # elsewhere


def doubled(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> [B, 2H, 2W, C]: each pixel four times."""
    return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)


def halved(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> [B, H/2, W/2, C]: means of 2 x 2 pixels."""
    batch, height, width, channels = x.shape
    return jnp.mean(x.reshape(batch, height // 2, 2, width // 2, 2, channels), (2, 4))


class Block(nn.Module):
    """Residual block with normalisations before its convolutions (Gulrajani et al. 2017).

    [B, H, W, C] -> [B, 2H, 2W, features] where it goes up, else [B, H/2, W/2, features]. No biases: what they add, the
    last normalisation of the generator takes away again, and so does the difference of two scores of the critic.
    """

    features: int
    up: bool
    by_image: bool  # normalise each image by itself, as a critic with a gradient penalty must, else the batch

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        def norm(y):
            alone = nn.LayerNorm(epsilon=1e-5, reduction_axes=(1, 2, 3), feature_axes=-1)
            return nn.relu(alone(y) if self.by_image else batch_norm(train=train)(y))

        inside = self.features if self.up else x.shape[-1]
        aside = Conv(self.features, 1, 1, 0, GLOROT, bias=False)
        shortcut = doubled(aside(x)) if self.up else aside(halved(x))
        y = norm(x)
        y = Conv(inside, 3, 1, init=HE, bias=False)(doubled(y) if self.up else y)
        y = Conv(self.features, 3, 1, init=HE, bias=False)(norm(y))
        return shortcut + (y if self.up else halved(y))


class Generator(nn.Module):
    """[B, latent] -> [B, size, size, channels] in [-1, 1]."""

    size: int
    width: int  # channels of the last block; 64 in the paper
    channels: int

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool) -> jax.Array:
        stages = _stages(self.size)
        first = self.width * min(2**stages, WIDEST)
        x = nn.Dense(dcgan.SIDE * dcgan.SIDE * first, kernel_init=GLOROT)(z).reshape(-1, dcgan.SIDE, dcgan.SIDE, first)
        for stage in reversed(range(stages)):
            x = Block(self.width * min(2**stage, WIDEST), up=True, by_image=False)(x, train=train)
        return jnp.tanh(Conv(self.channels, 3, 1, init=HE)(nn.relu(batch_norm(train=train)(x))))


class Tower(nn.Module):
    """Critic and encoder: [B, size, size, C] in [-1, 1] -> ([B, outputs], the features before: [B, 16 * 8 * width])."""

    width: int  # channels of the first layer; 64 in the paper
    outputs: int
    critic: bool  # normalises each image by itself, and has no bias at its end: it would cancel in the loss

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        x = Conv(self.width, 3, 1, init=GLOROT)(images)
        for stage in range(1, _stages(images.shape[1]) + 1):
            x = Block(self.width * min(2**stage, WIDEST), up=False, by_image=self.critic)(x, train=train)
        features = x.reshape(len(x), -1)
        return nn.Dense(self.outputs, use_bias=not self.critic, kernel_init=GLOROT)(features), features


class State(NamedTuple):
    generator: Player
    critic: Player
    encoder: Player
    step: jax.Array  # taken so far, int32: it says which phase this is


def make(
    *,
    size: int,
    width: int,
    latent: int,
    gan_steps: int,
    critic_steps: int,
    penalty: float,
    kappa: float,
    critic_balance: Sequence[str],
    learning_rate: float,
    encoder_rate: float,
    box: int,
) -> Detector:
    """f-AnoGAN. Floats (penalty, kappa, learning_rate, encoder_rate) may be tracers.

    size: pixels a side of the images trained on, a power of two from 8 on; others are resized to it when scored. width:
    channels of the widest maps (64). latent: numbers in z (128). gan_steps: steps of the first phase; the encoder
    learns in all later ones. critic_steps: updates of the critic in each of them, for which the batch is split (5).
    penalty: weight of the gradient penalty (10). kappa: weight of the features beside the pixels in the encoder's loss
    and the score (1). critic_balance: changes of what the critic is shown (see `losses.balance`), none as published.
    learning_rate: of generator and critic; encoder_rate: of the encoder. box: side of the mean filter over the
    residual, pixels.
    """
    _check(size=size, gan_steps=gan_steps, critic_steps=critic_steps, box=box)
    balance.check(critic_balance, of=balance.CHANGES)
    critic, encoder = Tower(width, 1, critic=True), Tower(width, latent, critic=False)
    adam = optim.adam(learning_rate, b1=0.0, b2=0.9)
    rmsprop = optax.chain(optim.average_over_devices(), optax.rmsprop(encoder_rate))

    def init(key: jax.Array, batch: Batch) -> State:
        check_size(batch, size)
        keys = jax.random.split(key, 3)
        z = jnp.zeros((len(batch.image), latent))
        players = (
            optim.init_player(adam, Generator(size, width, batch.image.shape[-1]).init(keys[0], z, train=True)),
            optim.init_player(adam, critic.init(keys[1], batch.image, train=True)),
            optim.init_player(rmsprop, encoder.init(keys[2], batch.image, train=True)),
        )
        return State(*players, jnp.zeros((), jnp.int32))

    def draw(params, batch_stats, z, channels, train):
        return apply(Generator(size, width, channels), params, batch_stats, z, train=train)

    def criticise(params, *images):
        """For each of several batches of images ([B] scores of the critic, [B, n] features)."""
        (scores, features), _ = apply(critic, params, {}, jnp.concatenate(images), train=True)
        return list(zip(jnp.split(scores[:, 0], len(images)), jnp.split(features, len(images)), strict=True))

    def adversarial_step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        """`critic_steps` updates of the critic, each on its part of the batch, then one of the generator."""
        images = to_tanh(batch.clean)
        keys = jax.vmap(lambda key: jax.random.split(key, 3))(parallel.sample_keys(key, len(images)))
        images, keys, generator = parts(images, critic_steps), parts(keys, critic_steps), state.generator
        noise = lambda keys: jax.vmap(lambda key: jax.random.normal(key, (latent,)))(keys)
        generate = lambda params, keys: draw(params, generator.batch_stats, noise(keys), images.shape[-1], True)

        def critic_step(critic, inputs):
            real, keys = inputs
            fake, _ = generate(generator.params, keys[:, 0])
            real, fake = (balance.shown(x, keys[:, 1], critic_balance) for x in (real, fake))

            def loss(params):
                (real_scores, _), (fake_scores, _) = criticise(params, real, fake)
                distance = jnp.mean(real_scores) - jnp.mean(fake_scores)
                score_of = lambda x: criticise(params, x)[0][0]
                return penalty * jnp.mean(gradient_penalty(score_of, real, fake, keys[:, 1])) - distance, ({}, distance)

            return optim.update_player(adam, loss, critic)

        updated_critic, distances = lax.scan(critic_step, state.critic, (images, keys))

        def generator_loss(params):
            fake, stats = generate(params, keys[0, :, 2])
            seen = balance.shown(fake, keys[0, :, 1], critic_balance)
            return -jnp.mean(criticise(updated_critic.params, seen)[0][0]), (stats, batch_moments(fake, images[0]))

        generator, moments = optim.update_player(adam, generator_loss, generator)
        metrics = {"loss": moments["moments"], "distance": jnp.mean(distances)} | moments
        return state._replace(generator=generator, critic=updated_critic), metrics

    def lost(state: State, images: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """(what is lost on the way through z [B], reconstructions, the critic's distance [B] of images from them)."""
        generator = state.generator
        reconstruction, _ = draw(generator.params, generator.batch_stats, z, images.shape[-1], False)
        (values, features), (fake_values, fake_features) = criticise(state.critic.params, images, reconstruction)
        pixels = jnp.mean(jnp.square(images - reconstruction), (1, 2, 3))
        loss = pixels + kappa * jnp.mean(jnp.square(features - fake_features), -1)
        return loss, reconstruction, values - fake_values

    def encoder_step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.
        images, clean = to_tanh(batch.image), to_tanh(batch.clean)

        def loss(params):
            (z, _), stats = apply(encoder, params, state.encoder.batch_stats, images, train=True)
            losses, reconstruction, distances = lost(state, clean, jnp.tanh(z))
            value = jnp.mean(losses)
            metrics = {"loss": value, "distance": jnp.mean(distances)} | batch_moments(reconstruction, clean)
            return value, (stats, metrics)

        updated_encoder, metrics = optim.update_player(rmsprop, loss, state.encoder)
        return state._replace(encoder=updated_encoder), metrics

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        first = state.step < gan_steps
        state, metrics = lax.cond(first, adversarial_step, encoder_step, state, batch, key)
        return state._replace(step=state.step + 1), metrics

    def score(state: State, images: jax.Array) -> Scores:
        inputs = to_tanh(residuals.resize(images, size, size))
        (z, _), _ = apply(encoder, state.encoder.params, state.encoder.batch_stats, inputs, train=False)
        losses, reconstruction, _ = lost(state, inputs, jnp.tanh(z))
        return reconstruction_scores(
            images, losses, from_tanh(reconstruction), residual=residuals.absolute, box=box
        )  # fmt: skip

    return Detector(init, step, score)


def _stages(size: int) -> int:
    """How often an image is halved until it is dcgan.SIDE pixels wide."""
    return (size // dcgan.SIDE).bit_length() - 1


def _check(*, size: int, gan_steps: int, critic_steps: int, box: int) -> None:
    dcgan.check_size(size)
    if gan_steps < 1:
        raise ValueError(f"settings.gan_steps = {gan_steps}; the encoder needs a generator that was trained: use 1 "
                         "or more steps, fewer than train.steps")  # fmt: skip
    if critic_steps < 1:
        raise ValueError(f"settings.critic_steps = {critic_steps}; the critic needs an update for each of the "
                         "generator's: use 1 or more, such as 5")  # fmt: skip
    residuals.check_box(box)
