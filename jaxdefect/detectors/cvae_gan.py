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
from jaxdefect.losses import reconstruction
from jaxdefect.losses.adversarial import batch_moments, from_tanh, gradient_penalty, kl, parts, to_tanh
from jaxdefect.maps import residuals
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
        # Of a bias here nothing is left in the difference of two values.
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
        own = autoencoder_like(images).init(keys[0], images, jnp.zeros((len(images), latent)), train=True)
        return State(optim.init_player(optimizer, own), optim.init_player(optimizer, critic_net.init(keys[1], images)))

    def criticise(params, images):
        return critic_net.apply({"params": params}, images)

    def criticised(critic: Player, real, fake, keys) -> tuple[Player, jax.Array]:
        """The critic after `critic_steps` updates, and its loss in the last. Fakes are [B, S, S, C], no gradients."""

        def one(own, part):
            real, fake, keys = part

            def critic_loss(params):
                slope = jnp.mean(gradient_penalty(lambda x: criticise(params, x)[0], real, fake, keys))
                loss = jnp.mean(criticise(params, fake)[0]) - jnp.mean(criticise(params, real)[0]) + penalty * slope
                return loss, ({}, loss)

            return optim.update_player(optimizer, critic_loss, own)

        critic, history = lax.scan(one, critic, tuple(parts(x, critic_steps) for x in (real, fake, keys)))
        return critic, history[-1]

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        net, real = autoencoder_like(batch.image), to_tanh(batch.image)
        keys = [parallel.sample_keys(k, len(real)) for k in jax.random.split(key, 4)]
        noise, drawn_from = (jax.vmap(lambda k: jax.random.normal(k, (latent,)))(k) for k in keys[:2])
        stats = state.autoencoder.batch_stats
        redraw = lambda params: apply(net, params, stats, real, noise, train=True)
        draw = lambda params: apply(net, params, stats, drawn_from, method="decode", train=True)[0]

        def lacking(params, drawn):
            """By how much the divergence of drawn images falls short of `margin`; teaches the encoder only."""
            coded, _ = apply(net, params, stats, lax.stop_gradient(drawn), method="encode", train=True)
            return jnp.mean(nn.relu(margin - jax.vmap(kl)(*coded)))

        def autoencoder_loss(params):
            (rebuilt, *coded), stats = redraw(params)
            drawn = draw(params)
            (value, found), (drawn_value, _) = (criticise(critic.params, x) for x in (rebuilt, drawn))
            terms = {
                "loss": reconstruction.l1(from_tanh(rebuilt), batch.image),
                "dissimilarity": reconstruction.ssim(from_tanh(rebuilt), batch.image),
                "kl": jnp.mean(kl(*coded)),
                "fooling": -(jnp.mean(value) + jnp.mean(drawn_value)) / 2,
                "matching": jnp.mean(jnp.square(found - criticise(critic.params, real)[1])),
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
        fakes = jnp.where(coins, redraw(params)[0][0], draw(params))
        critic, critic_loss = criticised(state.critic, real, fakes, keys[3])
        own, metrics = optim.update_player(optimizer, autoencoder_loss, state.autoencoder)
        return State(own, critic), metrics | {"critic_loss": critic_loss}

    def score(state: State, images: jax.Array) -> Scores:
        height, width = images.shape[1:3]
        seen = residuals.resize(images, size, size)
        own, no_noise = state.autoencoder, jnp.zeros((len(images), latent))
        (rebuilt, _, _), _ = apply(
            autoencoder_like(seen), own.params, own.batch_stats, to_tanh(seen), no_noise, train=False
        )
        features = [criticise(state.critic.params, x)[1] for x in (to_tanh(seen), rebuilt)]
        rebuilt = jnp.clip(from_tanh(rebuilt), 0, 1)
        residual = residuals.absolute(seen, rebuilt)
        unlike = 1 - jnp.mean(reconstruction.ssim_map(seen, rebuilt), (1, 2, 3))
        apart = jnp.mean(jnp.square(features[0] - features[1]), (1, 2, 3))
        image = jnp.mean(residual, (1, 2)) + unlike + feature * apart
        back = lambda x: residuals.resize(x, height, width)
        return Scores(image, back(residuals.box_filter(residual, box)), back(rebuilt))

    return Detector(init, step, score)


def _check(*, size: int, critic_steps: int, box: int) -> None:
    dcgan.check_size(size)
    if size < 16:
        raise ValueError(f"settings.size = {size} pixels; SSIM needs windows of {reconstruction.WINDOW}: use 16 or 32")
    if critic_steps < 1:
        raise ValueError(f"settings.critic_steps = {critic_steps}; the critic is updated at least once: use 1 or 5")
    residuals.check_box(box)
