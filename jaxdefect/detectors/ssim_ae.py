"""SSIM-AE: a deep autoencoder of convolutions, max-poolings and upsamplings that learns by multi-scale SSIM in colour.

It has no dense layers, so that an image keeps its places all the way; what it must forget, it forgets in the few
channels of its code. Images are judged as CAE judges them, by the share of pixels reconstructed too badly.

Use it for coloured parts; it separates images well and outlines too much.

Source: Garzo, Miklos, Herbai, "Identification of Defective Manufacturing Products with a Convolutional Autoencoder",
Section 3.2.3 and Table 1, and Wang, Simoncelli, Bovik, "Multiscale Structural Similarity for Image Quality Assessment",
2003. The report gives no widths and no depth; here each size has two convolutions of 3 x 3 pixels.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect.detector import Detector, check_multiple
from jaxdefect.families.percentile_autoencoder import percentile_autoencoder
from jaxdefect.losses import reconstruction as pixel_losses
from jaxdefect.maps import residuals
from jaxdefect.networks.blocks import Conv
from jaxdefect.networks.convolution import deconv, max_pool
from jaxdefect.training import optim

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, the finest first (Wang et al. 2003)
C2 = 0.03**2  # of SSIM, for a range of 1
FLOOR = 0.05  # Below it a factor is continued by a hyperbola: it stays positive and keeps a gradient.


class UpConv(nn.Module):
    """Each pixel repeated 2 x 2, then a 3 x 3 convolution with zeros around: [B, H, W, C] -> [B, 2H, 2W, features]."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", nn.initializers.he_normal(), (3, 3, x.shape[-1], self.features))
        shifted = [((i, 1 - i), (j, 1 - j), (0, 0), (0, 0)) for i in range(2) for j in range(2)]
        # Repeating is a kernel of 2 x 2 ones: both are one transposed convolution, with 16 products in place of 36.
        repeating = sum(jnp.pad(kernel, around) for around in shifted)
        return deconv(x, repeating) + self.param("bias", nn.initializers.zeros, (self.features,))


class Autoencoder(nn.Module):
    """[B, H, W, C] in [0, 1] -> the same. H and W are multiples of 2 ** len(widths)."""

    widths: Sequence[int]  # channels at each size; a pooling follows each
    code: int  # channels of the smallest

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        del train  # Nothing is normalised.
        conv = lambda features: Conv(features, 3, 1, init=nn.initializers.he_normal())
        x = images
        for width in self.widths:
            x = nn.relu(conv(width)(x))
            x = max_pool(nn.relu(conv(width)(x)))
        x = nn.relu(conv(self.code)(x))
        for width in reversed(self.widths):
            x = nn.relu(UpConv(width)(x))
            x = nn.relu(conv(width)(x))
        return nn.sigmoid(Conv(images.shape[-1], 3, 1)(x))


def make(
    *,
    size: int,
    widths: Sequence[int],
    code: int,
    scales: int,
    learning_rate: float,
    residual: str,
    percentile: float,
    box: int,
) -> Detector:
    """SSIM-AE. The learning rate and the percentile may be tracers.

    size: pixels a side of the images trained on, a multiple of 2 ** len(widths); others are resized to it when
    scored. widths, code: see `Autoencoder`. scales: of the loss, 1 to 5. residual: squared, absolute or ssim, the error
    of a pixel. percentile, box: see `percentile_autoencoder`.
    """
    check_multiple(size, 2 ** len(widths))
    residuals.check_box(box)
    most = most_scales(size)
    if not 1 <= scales <= most:
        raise ValueError(f"settings.scales = {scales}; SSIM looks through windows of {pixel_losses.WINDOW} pixels, so "
                         f"images of {size} have 1 to {most} scales: use one of them, or a larger size")  # fmt: skip
    if residual not in residuals.RESIDUALS:
        choices = ", ".join(residuals.RESIDUALS)
        raise ValueError(f"settings.residual = {residual!r} is not known; use one of {choices}")

    def objective(reconstruction: jax.Array, images: jax.Array) -> dict[str, jax.Array]:
        unlike = multi_scale_ssim(reconstruction, images, scales=scales)
        return {"loss": unlike, "mse": pixel_losses.mse(reconstruction, images)}

    return percentile_autoencoder(
        Autoencoder(tuple(widths), code), objective, optim.adam(learning_rate),
        size=size, residual=residual, percentile=percentile, box=box,
    )  # fmt: skip


def most_scales(size: int) -> int:
    """How many scales images of size x size pixels have: each is half the last, and none smaller than the window."""
    return sum(size % 2**k == 0 and size // 2**k >= pixel_losses.WINDOW for k in range(len(WEIGHTS)))


def multi_scale_ssim(reconstruction: jax.Array, image: jax.Array, *, scales: int) -> jax.Array:
    """1 - MS-SSIM of [B, H, W, C] in [0, 1], channel by channel, averaged. A scalar; 0 where equal.

    The product of contrast and structure at every scale but the coarsest, where it is all of SSIM; each is averaged
    over its pixels and raised to its weight, and the weights of fewer scales than five are divided by their sum.
    Between scales 2 x 2 pixels are averaged. One scale is `losses.ssim`. Untrained networks have factors below 0, of
    which no power is; see FLOOR. Source: Wang, Simoncelli, Bovik 2003, Eq. 7.
    """
    if scales == 1:
        return pixel_losses.ssim(reconstruction, image)
    weights = np.asarray(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    logarithm = 0.0
    for weight in weights[:-1]:
        logarithm += weight * _log(jnp.mean(contrast_structure(reconstruction, image), (1, 2)))
        reconstruction, image = half(reconstruction), half(image)
    logarithm += weights[-1] * _log(jnp.mean(pixel_losses.ssim_map(reconstruction, image), (1, 2)))
    return 1 - jnp.mean(jnp.exp(logarithm))


def contrast_structure(a: jax.Array, b: jax.Array) -> jax.Array:
    """SSIM without its luminance: [B, H - 10, W - 10, C], 1 where windows differ in brightness alone."""
    stacked = jnp.concatenate([a, b, jnp.square(a) + jnp.square(b), a * b], -1)
    mean_a, mean_b, squares, product = jnp.split(pixel_losses.gaussian_filter(stacked), 4, -1)
    covariance = product - mean_a * mean_b
    variances = jnp.maximum(squares - jnp.square(mean_a) - jnp.square(mean_b), 0)
    return (2 * covariance + C2) / (variances + C2)


def half(images: jax.Array) -> jax.Array:
    """[B, H, W, C] -> [B, H / 2, W / 2, C]: the mean of each 2 x 2 pixels."""
    rows = images[:, ::2] + images[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) / 4


def _log(factor: jax.Array) -> jax.Array:
    """The logarithm of a factor, or below FLOOR of FLOOR^2 / (2 FLOOR - factor): equal there, and of the same slope."""
    below = np.log(FLOOR) - jnp.log(2 - jnp.minimum(factor, FLOOR) / FLOOR)
    return jnp.where(factor > FLOOR, jnp.log(jnp.maximum(factor, FLOOR)), below)
