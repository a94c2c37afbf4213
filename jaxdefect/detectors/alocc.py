"""ALOCC: an autoencoder refines images until a discriminator takes them for normal; on others it fails.

R takes noise out of normal images, D tells them from what R returns. R sharpens what it knows and distorts what it
does not, so D(R(X)) says more than D(X).

Use it to reproduce; of the adversarial methods it ranks last on tiles and among the first on fabric.

Source: Sabokrou, Khalooei, Fathy, Adeli, "Adversarially Learned One-Class Classifier for Novelty Detection", CVPR 2018.
"""

from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect import parallel
from jaxdefect.detector import Batch, Detector, Scores, check_multiple, check_size
from jaxdefect.losses import balance
from jaxdefect.losses.adversarial import from_tanh, gan_loss, reconstruction_metrics, to_tanh
from jaxdefect.maps import residuals
from jaxdefect.maps.reconstruction import reconstruction_scores
from jaxdefect.networks import dcgan
from jaxdefect.networks.blocks import DCGAN_INIT, apply, spectral
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

KERNEL = 5  # pixels, as in the paper


def widths(width: int, levels: int) -> tuple[int, ...]:
    """Channels of each map, from the image inwards."""
    return tuple(width * 2**level for level in range(levels))


class Refiner(nn.Module):
    """R: down and up again, without a bottleneck of one vector. [B, H, W, C] in [-1, 1] -> the same."""

    width: int  # channels of the first map; 64 in the paper
    levels: int  # how often it halves; 4 in the paper

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        shape = widths(self.width, self.levels)
        inner = dcgan.Down(shape, KERNEL)(images, train=train)
        return dcgan.Up(shape[-2::-1], images.shape[-1], KERNEL)(inner, train=train)


class Discriminator(nn.Module):
    """D. [B, H, W, C] in [-1, 1] -> logits [B] of being a normal image that nobody touched."""

    width: int
    levels: int
    spectral: bool  # spectral in place of batch normalisation

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        x = dcgan.Down(widths(self.width, self.levels), KERNEL, spectral=self.spectral)(images, train=train)
        verdict = spectral(nn.Dense(1, kernel_init=DCGAN_INIT), use=self.spectral, train=train)
        return verdict(x.reshape(len(x), -1))[:, 0]


class State(NamedTuple):
    refiner: Player
    discriminator: Player


def make(
    *,
    size: int,
    width: int,
    critic_width: int,
    levels: int,
    noise: float,
    reconstruction: float,
    critic_balance: Sequence[str],
    r1: float,
    learning_rate: float,
    box: int,
) -> Detector:
    """ALOCC. Floats (noise, reconstruction, r1, learning_rate) may be tracers.

    size: pixels a side of the images trained on, a multiple of 2^levels; others are resized to it when scored. width,
    critic_width: channels of the first maps of R and D (64), doubling `levels` times (4). noise: standard deviation of
    what R takes out again, of pixels in [-1, 1] (0.155). reconstruction: weight lambda of the squared error, averaged
    over pixels as in the authors' code (0.4). critic_balance: what keeps D from winning (see `losses.balance`), none as
    published; r1: the weight of r1 there. box: side of the mean filter over the map, pixels.
    """
    _check(size=size, levels=levels, box=box)
    balance.check(critic_balance)
    refiner, discriminator = Refiner(width, levels), Discriminator(critic_width, levels, "spectral" in critic_balance)
    optimizer = optim.adam(learning_rate, b1=0.5)

    def init(key: jax.Array, batch: Batch) -> State:
        check_size(batch, size)
        keys = jax.random.split(key)
        nets = (refiner, discriminator)
        variables = [net.init(key, batch.image, train=True) for net, key in zip(nets, keys, strict=True)]
        return State(*(optim.init_player(optimizer, drawn) for drawn in variables))

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        images, clean = to_tanh(batch.image), to_tanh(batch.clean)
        keys = parallel.sample_keys(key, len(images))
        noisy = images + noise * jax.vmap(lambda key: jax.random.normal(key, images.shape[1:]))(keys)
        show = lambda x: balance.shown(x, keys, critic_balance)
        critic = state.discriminator
        refine = lambda params: apply(refiner, params, state.refiner.batch_stats, noisy, train=True)
        discriminate = lambda params, stats, x: apply(discriminator, params, stats, x, train=True)

        def critic_loss(params):
            refined, _ = refine(state.refiner.params)
            real, stats = discriminate(params, critic.batch_stats, show(clean))
            fake, stats = discriminate(params, stats, show(refined))
            told = gan_loss(real, True) + gan_loss(fake, False)
            verdict = lambda x: discriminate(params, critic.batch_stats, x)[0]
            slope = r1 * balance.r1(verdict, show(clean)) if "r1" in critic_balance else 0
            return told + slope, (stats, {"critic_loss": told})

        def refiner_loss(params):
            refined, stats = refine(params)
            fake, _ = discriminate(updated_critic.params, updated_critic.batch_stats, show(refined))
            fooling = gan_loss(fake, True)
            loss = fooling + reconstruction * jnp.mean(jnp.square(refined - clean))
            return loss, (stats, reconstruction_metrics(refined, clean) | {"fooling": fooling})

        updated_critic, critic_metrics = optim.update_player(optimizer, critic_loss, critic)
        updated_refiner, metrics = optim.update_player(optimizer, refiner_loss, state.refiner)
        return State(updated_refiner, updated_critic), metrics | critic_metrics

    def score(state: State, images: jax.Array) -> Scores:
        """The image score is 1 - D(R(X)), of the image as it is, no noise added."""
        player, critic = state.refiner, state.discriminator
        inputs = to_tanh(residuals.resize(images, size, size))
        refined, _ = apply(refiner, player.params, player.batch_stats, inputs, train=False)
        logits, _ = apply(discriminator, critic.params, critic.batch_stats, refined, train=False)
        # 1 - sigmoid(x) = sigmoid(-x), which does not round to 0 where D is sure.
        image_scores = nn.sigmoid(-logits)
        return reconstruction_scores(images, image_scores, from_tanh(refined), residual=residuals.absolute, box=box)

    return Detector(init, step, score)


def _check(*, size: int, levels: int, box: int) -> None:
    if levels < 1:
        raise ValueError(f"settings.levels = {levels}; the networks halve an image at least once: use 1 to 4")
    check_multiple(size, 2**levels)
    residuals.check_box(box)
