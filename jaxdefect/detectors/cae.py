"""CAE: a small convolutional autoencoder; an image is defective if enough of its pixels are reconstructed too badly.

Three convolutions and two dense layers on each side. It learns by the mean squared error, or by it and 1 - SSIM. Too
badly is worse than the q-th percentile of the squared errors of training pixels; how many pixels are enough is the
threshold of the image score.

Use it as the least that an autoencoder does, on parts that fill the image alike; with two losses to see what a second
one changes.

Source: Garzo, Miklos, Herbai, "Identification of Defective Manufacturing Products with a Convolutional Autoencoder",
Sections 3.2.1 and 3.4, where two losses did worse than one. It gives no kernels, no widths and no weight of the second
loss; here kernels are 4 pixels with stride 2, and widths double.
"""

import math

import flax.linen as nn
import jax

from jaxdefect.detector import Detector, check_multiple
from jaxdefect.families.percentile_autoencoder import percentile_autoencoder
from jaxdefect.losses import reconstruction as pixel_losses
from jaxdefect.maps import residuals
from jaxdefect.networks.blocks import Conv, Deconv, batch_norm
from jaxdefect.training.optim import decaying_adam

FACTOR = 8  # by which the encoder shrinks a side
LOSSES = (("mse",), ("mse", "ssim"))


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


def make(
    *,
    size: int,
    width: int,
    dense: int,
    latent: int,
    losses: tuple[str, ...],
    ssim_weight: float,
    learning_rate: float,
    decay: float,
    decay_every: int,
    percentile: float,
    box: int,
) -> Detector:
    """CAE. Floats (ssim_weight, learning_rate, decay, percentile) may be tracers.

    size: pixels a side of the images trained on, a multiple of 8; others are resized to it when scored. width, dense,
    latent: see `Autoencoder`. losses: ("mse",), or ("mse", "ssim") for their sum, the latter times ssim_weight. decay:
    factor of the learning rate after each decay_every steps (StepLR). percentile, box: see `percentile_autoencoder`.
    """
    _check(size=size, losses=losses, box=box)

    def objective(reconstruction: jax.Array, images: jax.Array) -> dict[str, jax.Array]:
        squared = pixel_losses.mse(reconstruction, images)
        if "ssim" not in losses:
            return {"loss": squared, "mse": squared}
        unlike = pixel_losses.ssim(reconstruction, images)
        return {"loss": squared + ssim_weight * unlike, "mse": squared, "ssim_loss": unlike}

    return percentile_autoencoder(
        Autoencoder(width, dense, latent), objective, decaying_adam(learning_rate, decay, decay_every),
        size=size, residual="squared", percentile=percentile, box=box,
    )  # fmt: skip


def _check(*, size: int, losses: tuple[str, ...], box: int) -> None:
    check_multiple(size, FACTOR)
    if tuple(losses) not in LOSSES:
        raise ValueError(f"settings.losses = {tuple(losses)}; use {' or '.join(map(str, LOSSES))}")
    if "ssim" in losses and size < pixel_losses.WINDOW:
        raise ValueError(f"settings.size = {size} pixels; SSIM looks through windows of {pixel_losses.WINDOW}: use 16 "
                         "or 24, or settings.losses = ('mse',)")  # fmt: skip
    residuals.check_box(box)
