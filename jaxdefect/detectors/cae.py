"""CAE: a small convolutional autoencoder; an image is defective if enough of its pixels are redrawn too badly.

Three convolutions and two dense layers on each side, mean squared error. Too badly is worse than the q-th percentile of
the squared errors of training pixels; how many are enough is the threshold of the image score.

Use it as the least that an autoencoder does, on parts that fill the image alike.

Source: Garzo, Miklos, Herbai, "Identification of Defective Manufacturing Products with a Convolutional Autoencoder",
Sections 3.2.1 and 3.4. It gives no kernels and no widths; here kernels are 4 pixels with stride 2, and widths double.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxdefect.detector import Batch, Detector, Scores, check_size
from jaxdefect.losses import reconstruction
from jaxdefect.maps import residuals
from jaxdefect.networks.blocks import Conv, Deconv, apply, batch_norm
from jaxdefect.statistics import quantiles
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

FACTOR = 8  # by which the encoder shrinks a side

Objective = Callable[[jax.Array, jax.Array], dict[str, jax.Array]]


class Autoencoder(nn.Module):
    """[B, H, W, C] in [0, 1] -> the same. H and W are multiples of 8."""

    width: int  # channels of the first convolution
    dense: int  # units between the convolutions and the code
    latent: int  # numbers an image is encoded in

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        norm = lambda x: nn.relu(batch_norm(train=train)(x))
        x = images
        for times in (1, 2, 4):
            x = norm(Conv(times * self.width, bias=False)(x))
        code = nn.Dense(self.latent)(nn.relu(nn.Dense(self.dense)(x.reshape(len(x), -1))))
        wide = nn.Dense(math.prod(x.shape[1:]))(nn.relu(nn.Dense(self.dense)(code)))
        x = nn.relu(wide).reshape(x.shape)
        for times in (2, 1):
            x = norm(Deconv(times * self.width, bias=False)(x))
        return nn.sigmoid(Deconv(images.shape[-1])(x))


class State(NamedTuple):
    """What a network that redraws has learned, and how badly it redraws training pixels."""

    player: Player
    errors: jax.Array  # [histogram.BINS]
    threshold: jax.Array  # [] their percentile, once closed


def make(
    *, size: int, width: int, dense: int, latent: int, learning_rate: float, decay: float, decay_every: int,
    percentile: float, box: int,
) -> Detector:  # fmt: skip
    """CAE. The learning rate, its decay and the percentile may be tracers.

    size: pixels a side of the images trained on, a multiple of 8; others are resized to it when scored. width, dense,
    latent: see `Autoencoder`. decay: factor of the learning rate after each decay_every steps (StepLR). percentile of
    the training errors, 0 to 100. box: side of the mean filter over the squared error, pixels.
    """
    return with_loss(
        mean_squared, size=size, width=width, dense=dense, latent=latent, learning_rate=learning_rate, decay=decay,
        decay_every=decay_every, percentile=percentile, box=box,
    )  # fmt: skip


def with_loss(
    objective: Objective, *, size: int, width: int, dense: int, latent: int, learning_rate: float, decay: float,
    decay_every: int, percentile: float, box: int,
) -> Detector:  # fmt: skip
    """CAE with another objective, see `redrawing`, and the settings of `make`."""
    check_settings(size=size, factor=FACTOR, box=box)
    if decay_every < 1:
        raise ValueError(f"settings.decay_every = {decay_every} steps; the learning rate decays after at least 1 step: "
                         "use more steps than a run has for a constant rate")  # fmt: skip
    optimizer = optim.adam(optim.step_decay(learning_rate, decay, decay_every))
    net = Autoencoder(width, dense, latent)
    return redrawing(net, objective, optimizer, size=size, residual="squared", percentile=percentile, box=box)


def mean_squared(rebuilt: jax.Array, images: jax.Array) -> dict[str, jax.Array]:
    """The objective of CAE: the mean squared error alone."""
    squared = reconstruction.mse(rebuilt, images)
    return {"loss": squared, "mse": squared}


def redrawing(
    net: nn.Module, objective: Objective, optimizer: optax.GradientTransformation, *, size: int, residual: str,
    percentile: float, box: int,
) -> Detector:  # fmt: skip
    """A detector from a network that redraws images of one size: [B, size, size, C] in [0, 1] -> the same.

    objective: (redrawn, images) -> metrics, of which `loss` is descended. residual: a name of postprocess.RESIDUALS.
    The map is the residual after a mean filter over box x box pixels; the score, the share of its pixels above the
    percentile of those of the training images, at the size of the network.
    """

    def init(key: jax.Array, batch: Batch) -> State:
        check_size(batch, size)
        player = optim.init_player(optimizer, net.init(key, batch.image, train=True))
        return State(player, quantiles.empty(), jnp.asarray(quantiles.HIGHEST))

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.

        def loss(params):
            rebuilt, stats = apply(net, params, state.player.batch_stats, batch.image, train=True)
            metrics = objective(rebuilt, batch.image)
            return metrics["loss"], (stats, metrics)

        player, metrics = optim.update_player(optimizer, loss, state.player)
        return state._replace(player=player), metrics

    def errors(state: State, images: jax.Array) -> tuple[jax.Array, jax.Array]:  # At the size of the network.
        seen = residuals.resize(images, size, size)
        rebuilt, _ = apply(net, state.player.params, state.player.batch_stats, seen, train=False)
        return residuals.box_filter(residuals.RESIDUALS[residual](seen, rebuilt), box), rebuilt

    def score(state: State, images: jax.Array) -> Scores:
        found, rebuilt = errors(state, images)
        share = jnp.mean((found > state.threshold).astype(jnp.float32), (1, 2))
        back = lambda x: residuals.resize(x, *images.shape[1:3])
        return Scores(share, back(found), jnp.clip(back(rebuilt), 0, 1))

    def calibrate(state: State, images: jax.Array) -> State:
        return state._replace(errors=quantiles.update(state.errors, errors(state, images)[0]))

    def finalize(state: State) -> State:
        return state._replace(threshold=quantiles.percentile(state.errors, percentile))

    return Detector(init, step, score, calibrate, finalize)


def check_settings(*, size: int, factor: int, box: int) -> None:
    """Raises ValueError, naming field, value, rule and remedy, for a size or a box that cannot be.

    factor: by which the encoder shrinks a side.
    """
    if size % factor or size < factor:
        near = max(factor, size // factor * factor)
        raise ValueError(f"settings.size = {size} pixels; the encoder shrinks a side to 1/{factor}: "
                         f"use a multiple of {factor} such as {near} or {near + factor}")  # fmt: skip
    residuals.check_box(box)
