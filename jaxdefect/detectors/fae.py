"""FAE: a filtering autoencoder learns to redraw normal images without the flaws they were given; defects go likewise.

What it redraws otherwise is a defect. Flaws are coherent shapes of some texture and opacity, so that it learns to find
and to fill, not to blur. Gaussian noise over everything is kept in the target: a network that keeps noise keeps fine
normal detail, its Jacobian is close to the identity wherever there is no flaw.

Use it to study what repairing is worth on surfaces with fine detail; on magnetic tiles its preset small is at
chance, where `nsa`, which outlines the same flaws, finds most.

Source: Bauer, Mueller, "Noise & pattern: identity-anchored Tikhonov regularization for robust structural anomaly
detection", 2025; there is no public code. Our readings, as the details are not settled by it: a U-Net, with skip
connections, for there is no bottleneck that could keep noise; the mean squared error; the score of an image is the
largest value of its map.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect.detector import Batch, Detector, Scores
from jaxdefect.losses import reconstruction as losses
from jaxdefect.maps import residuals
from jaxdefect.networks.blocks import apply
from jaxdefect.networks.unet import UNet
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

RESIDUALS = {"squared": residuals.squared, "absolute": residuals.absolute}


class Autoencoder(nn.Module):
    """[B, H, W, C] in [0, 1] -> the same, of any size."""

    widths: tuple[int, ...]
    skip: bool

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        return UNet(self.widths, images.shape[-1], skip=self.skip)(images, train=train)


def make(*, widths: tuple[int, ...], skip: bool, learning_rate: float, residual: str, box: int) -> Detector:
    """FAE. The learning rate, of Adam, may be a tracer. The state is a Player.

    widths: channels at each scale, the finest first. skip: whether the decoder sees the encoder's features of its
    scale; without, all goes through the coarsest. residual: squared or absolute. box: side of the mean filter over it,
    pixels. Images are scored as they are, without noise.
    """
    _check(widths=widths, residual=residual)
    residuals.check_box(box)
    net = Autoencoder(tuple(widths), skip)
    optimizer = optim.adam(learning_rate)

    def init(key: jax.Array, batch: Batch) -> Player:
        return optim.init_player(optimizer, net.init(key, batch.image, train=True))

    def step(state: Player, batch: Batch, key: jax.Array) -> tuple[Player, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.

        def loss(params):
            redrawn, stats = apply(net, params, state.batch_stats, batch.image, train=True)
            squared = losses.mse(redrawn, batch.clean)
            return squared, (stats, {"loss": squared, "absolute": losses.l1(redrawn, batch.clean)})

        return optim.update_player(optimizer, loss, state)

    def score(state: Player, images: jax.Array) -> Scores:
        redrawn, _ = apply(net, state.params, state.batch_stats, images, train=False)
        errors = residuals.box_filter(RESIDUALS[residual](images, redrawn), box)
        return Scores(jnp.max(errors, (1, 2)), errors, jnp.clip(redrawn, 0, 1))

    return Detector(init, step, score)


def _check(*, widths: tuple, residual: str) -> None:
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"settings.widths = {widths}; give the channels of two scales or more, the finest first, such "
                         "as (16, 32, 64)")  # fmt: skip
    if residual not in RESIDUALS:
        raise ValueError(f"settings.residual = {residual!r} is not known; use one of {', '.join(RESIDUALS)}")
