"""CVAE-GAN: a variational autoencoder whose reconstructions and draws a Wasserstein critic judges as well.

Trained on one class its condition is constant, which a bias can stand for, and is left out. An image is scored by its
reconstruction, from the mean of its latent distribution: in pixels, in structure, in the critic's features.

Use it where a GAN is wanted: of the adversarial methods it ranks images best on tiles and on fabric.

Source: Bian et al., "A Novel and Efficient CVAE-GAN-Based Approach With Informative Manifold for Semi-Supervised
Anomaly Detection", IEEE Access 2019, of which we know the abstract: networks, weights, optimiser and score are our
reading. Bao et al., "CVAE-GAN", ICCV 2017, has the losses; Gulrajani et al. 2017 (WGAN-GP) the critic's and the
optimiser.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxdefect import parallel
from jaxdefect.detector import Batch, Detector, Scores, check_size
from jaxdefect.losses import reconstruction as pixel_losses
from jaxdefect.losses.adversarial import batch_moments, from_tanh, gradient_penalty, kl, parts, to_tanh
from jaxdefect.maps import residuals
from jaxdefect.maps.reconstruction import reconstruction_scores
from jaxdefect.networks import dcgan
from jaxdefect.networks.blocks import Conv, apply
from jaxdefect.training import optim
from jaxdefect.training.optim import Player


class Autoencoder(nn.Module):
    """Images [B, S, S, C] in [-1, 1] -> (reconstructions, means [B, latent], logarithms of variances [B, latent]).

    The vector decoded is mean + standard deviation * noise, noise [B, latent]. S is a power of two from 16 on.
    """

    size: int  # S, pixels
    channels: int
    latent: int
    width: int  # channels of the outermost maps
    cap: int  # channels at most

    def setup(self):
        self.encoder = dcgan.Encoder(2 * self.latent, self.width, self.cap)
        self.decoder = dcgan.Decoder(self.size, self.channels, self.width, self.cap)

    def __call__(self, images: jax.Array, noise: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array, jax.Array]:
        mean, log_variance = self.encode(images, train=train)
        return self.decode(mean + jnp.exp(log_variance / 2) * noise, train=train), mean, log_variance

    def encode(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        return tuple(jnp.split(self.encoder(images, train=train)[0], 2, -1))

    def decode(self, latents: jax.Array, *, train: bool) -> jax.Array:
        return self.decoder(latents, train=train)


class Critic(nn.Module):
    """[B, S, S, C] in [-1, 1] -> (values [B], features [B, 4, 4, C']), without batch normalisation."""

    width: int  # channels of the first layer
    cap: int  # channels at most

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        for width in dcgan.widths(x.shape[1], self.width, self.cap):
            x = nn.leaky_relu(Conv(width)(x), dcgan.SLOPE)
        # No bias: it would cancel in the difference of two values.
        return Conv(1, dcgan.SIDE, 1, 0, bias=False)(x)[:, 0, 0, 0], x


class State(NamedTuple):
    autoencoder: Player
    critic: Player


def make(
    *,
    size: int,
    width: int,
    critic_width: int,
    cap: int,
    latent: int,
    critic_steps: int,
    negatives: bool,
    l1: float,
    ssim: float,
    divergence: float,
    adversarial: float,
    matching: float,
    penalty: float,
    negative: float,
    margin: float,
    feature: float,
    learning_rate: float,
    box: int,
) -> Detector:
    """CVAE-GAN. Floats (the weights, margin, learning_rate) may be tracers.

    size: pixels a side of the images trained on, a power of two from 16 on; others are resized to it when scored.
    width, critic_width: channels of the outermost maps, which double inwards up to `cap`. latent: length of z.
    critic_steps: updates of the critic in a step, each on its share of the batch. Weights in training: l1 of the mean
    absolute error, ssim of 1 - SSIM (both of pixels in [0, 1]), divergence of KL(z | N(0, 1)), adversarial of the
    critic's value, matching of the mean squared difference of its features, penalty of its gradient (10). negatives:
    active negatives, our reading: the encoder also gives images decoded from z ~ N(0, 1) a divergence of at least
    `margin`, what it lacks of it weighing `negative`, so that an image beside the data has no likely z. feature:
    weight of the feature distance in the score, whose reconstruction loss is L1 + (1 - SSIM). box: side of the mean
    filter over the residual, pixels.
    """
    _check(size=size, critic_steps=critic_steps, box=box)
    autoencoder_like = lambda images: Autoencoder(size, images.shape[-1], latent, width, cap)
    critic_net = Critic(critic_width, cap)
    optimizer = optim.adam(learning_rate, b1=0.0, b2=0.9)

    def init(key: jax.Array, batch: Batch) -> State:
        images = batch.image
        check_size(batch, size)
        keys = jax.random.split(key)
        variables = autoencoder_like(images).init(keys[0], images, jnp.zeros((len(images), latent)), train=True)
        critic_variables = critic_net.init(keys[1], images)
        return State(optim.init_player(optimizer, variables), optim.init_player(optimizer, critic_variables))

    def criticise(params, images):
        return critic_net.apply({"params": params}, images)

    def train_critic(critic: Player, real, fake, keys) -> tuple[Player, jax.Array]:
        """The critic after `critic_steps` updates, and its loss in the last. Fakes are [B, S, S, C], no gradients."""

        def update(critic, part):
            real, fake, keys = part

            def critic_loss(params):
                slope = jnp.mean(gradient_penalty(lambda x: criticise(params, x)[0], real, fake, keys))
                loss = jnp.mean(criticise(params, fake)[0]) - jnp.mean(criticise(params, real)[0]) + penalty * slope
                return loss, ({}, loss)

            return optim.update_player(optimizer, critic_loss, critic)

        critic, losses = lax.scan(update, critic, tuple(parts(x, critic_steps) for x in (real, fake, keys)))
        return critic, losses[-1]

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        net, images, real = autoencoder_like(batch.image), to_tanh(batch.image), to_tanh(batch.clean)
        keys = [parallel.sample_keys(k, len(real)) for k in jax.random.split(key, 4)]
        noise, latents = (jax.vmap(lambda k: jax.random.normal(k, (latent,)))(k) for k in keys[:2])
        stats = state.autoencoder.batch_stats
        reconstruct = lambda params: apply(net, params, stats, images, noise, train=True)
        draw = lambda params: apply(net, params, stats, latents, method="decode", train=True)[0]

        def lacking(params, drawn):
            """By how much the divergence of drawn images falls short of `margin`; teaches the encoder only."""
            code, _ = apply(net, params, stats, lax.stop_gradient(drawn), method="encode", train=True)
            return jnp.mean(nn.relu(margin - jax.vmap(kl)(*code)))

        def autoencoder_loss(params):
            (reconstruction, *code), stats = reconstruct(params)
            drawn = draw(params)
            (value, features), (drawn_value, _) = (criticise(critic.params, x) for x in (reconstruction, drawn))
            terms = {
                "loss": pixel_losses.l1(from_tanh(reconstruction), batch.clean),
                "dissimilarity": pixel_losses.ssim(from_tanh(reconstruction), batch.clean),
                "kl": jnp.mean(kl(*code)),
                "fooling": -(jnp.mean(value) + jnp.mean(drawn_value)) / 2,
                "matching": jnp.mean(jnp.square(features - criticise(critic.params, real)[1])),
            }
            weights = (l1, ssim, divergence, adversarial, matching)
            total = sum(weight * term for weight, term in zip(weights, terms.values(), strict=True))
            if negatives:
                terms["lacking"] = lacking(params, drawn)
                total += negative * terms["lacking"]
            return total, (stats, terms | batch_moments(drawn, real))

        # Each fake is a reconstruction or a draw, by the toss of a coin: the critic learns to tell both.
        coins = jax.vmap(jax.random.bernoulli)(keys[2])[:, None, None, None]
        params = state.autoencoder.params
        fakes = jnp.where(coins, reconstruct(params)[0][0], draw(params))
        critic, critic_loss = train_critic(state.critic, real, fakes, keys[3])
        autoencoder, metrics = optim.update_player(optimizer, autoencoder_loss, state.autoencoder)
        return State(autoencoder, critic), metrics | {"critic_loss": critic_loss}

    def score(state: State, images: jax.Array) -> Scores:
        inputs, no_noise = residuals.resize(images, size, size), jnp.zeros((len(images), latent))
        net, player = autoencoder_like(images), state.autoencoder
        outputs, _ = apply(net, player.params, player.batch_stats, to_tanh(inputs), no_noise, train=False)
        features = [criticise(state.critic.params, x)[1] for x in (to_tanh(inputs), outputs[0])]
        reconstruction = from_tanh(outputs[0])
        error = jnp.mean(residuals.absolute(inputs, reconstruction), (1, 2))
        unlike = 1 - jnp.mean(pixel_losses.ssim_map(inputs, reconstruction), (1, 2, 3))
        apart = jnp.mean(jnp.square(features[0] - features[1]), (1, 2, 3))
        distance = error + unlike + feature * apart
        return reconstruction_scores(images, distance, reconstruction, residual=residuals.absolute, box=box)

    return Detector(init, step, score)


def _check(*, size: int, critic_steps: int, box: int) -> None:
    dcgan.check_size(size)
    if size < 16:
        raise ValueError(f"settings.size = {size} pixels; SSIM needs windows of {pixel_losses.WINDOW}: use 16 or 32")
    if critic_steps < 1:
        raise ValueError(f"settings.critic_steps = {critic_steps}; the critic is updated at least once: use 1 or 5")
    residuals.check_box(box)
