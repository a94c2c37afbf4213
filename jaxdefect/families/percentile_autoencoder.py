"""Autoencoders that count pixels: an image is defective if enough of them are reconstructed too badly.

Too badly is worse than a percentile of the errors of training pixels; how many pixels are enough is the threshold of
the image score.

Source: Garzo, Miklos, Herbai, "Identification of Defective Manufacturing Products with a Convolutional Autoencoder",
Section 3.4.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxdefect.detector import Batch, Detector, Scores, check_size
from jaxdefect.maps import residuals
from jaxdefect.maps.reconstruction import at_image_size, error_map
from jaxdefect.networks.blocks import apply
from jaxdefect.statistics import quantiles
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

Objective = Callable[[jax.Array, jax.Array], dict[str, jax.Array]]


class State(NamedTuple):
    """An autoencoder, and how badly it reconstructs training pixels."""

    player: Player
    errors: jax.Array  # [quantiles.BINS]
    threshold: jax.Array  # [] their percentile, once finalized


def percentile_autoencoder(
    net: nn.Module, objective: Objective, optimizer: optax.GradientTransformation, *, size: int, residual: str,
    percentile: float | jax.Array, box: int,
) -> Detector:  # fmt: skip
    """A detector from an autoencoder of images of one size: [B, size, size, C] in [0, 1] -> the same.

    objective: (reconstructions, what they should be) -> metrics, of which `loss` is descended. residual: a name of
    `residuals.RESIDUALS`. percentile: of the errors of training pixels, 0 to 100; may be a tracer. box: side of the
    mean filter over the residual, pixels. The map is the filtered residual; the score of an image is the share of its
    pixels above the percentile, at the size of the network.
    """

    def init(key: jax.Array, batch: Batch) -> State:
        check_size(batch, size)
        player = optim.init_player(optimizer, net.init(key, batch.image, train=True))
        return State(player, quantiles.empty(), jnp.asarray(quantiles.HIGHEST))

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.

        def loss(params):
            reconstruction, stats = apply(net, params, state.player.batch_stats, batch.image, train=True)
            metrics = objective(reconstruction, batch.clean)
            return metrics["loss"], (stats, metrics)

        player, metrics = optim.update_player(optimizer, loss, state.player)
        return state._replace(player=player), metrics

    def reconstructed(state: State, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(errors [B, size, size], reconstructions [B, size, size, C])."""
        inputs = residuals.resize(images, size, size)
        reconstruction, _ = apply(net, state.player.params, state.player.batch_stats, inputs, train=False)
        return error_map(images, reconstruction, residual=residuals.RESIDUALS[residual], box=box), reconstruction

    def score(state: State, images: jax.Array) -> Scores:
        errors, reconstruction = reconstructed(state, images)
        share = jnp.mean((errors > state.threshold).astype(jnp.float32), (1, 2))
        return at_image_size(images, share, errors, reconstruction)

    def calibrate(state: State, images: jax.Array) -> State:
        return state._replace(errors=quantiles.update(state.errors, reconstructed(state, images)[0]))

    def finalize(state: State) -> State:
        return state._replace(threshold=quantiles.percentile(state.errors, percentile))

    return Detector(init, step, score, calibrate, finalize)
