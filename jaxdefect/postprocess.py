"""From images and reconstructions to anomaly maps: residuals, filters, normalisation by what is normal, padding.

Images are [B, H, W, C] in [0, 1], maps [B, H, W]; a higher value is worse.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdefect.losses import WINDOW, ssim_map


def squared(images: jax.Array, reconstructions: jax.Array) -> jax.Array:
    """Squared residual, averaged over channels (ReNet-D Eq. 9)."""
    return jnp.mean(jnp.square(images - reconstructions), -1)


def absolute(images: jax.Array, reconstructions: jax.Array) -> jax.Array:
    """Absolute residual, averaged over channels."""
    return jnp.mean(jnp.abs(images - reconstructions), -1)


def dissimilarity(images: jax.Array, reconstructions: jax.Array) -> jax.Array:
    """1 - SSIM of the window around each pixel, averaged over channels; the border is mirrored."""
    margin = ((0, 0), (WINDOW // 2,) * 2, (WINDOW // 2,) * 2, (0, 0))
    a, b = (jnp.pad(x, margin, "symmetric") for x in (images, reconstructions))
    return 1 - jnp.mean(ssim_map(a, b), -1)


RESIDUALS: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "squared": squared,
    "absolute": absolute,
    "ssim": dissimilarity,
}


def window_sum(x: jax.Array, size: int, axis: int) -> jax.Array:
    """Sums of `size` neighbours along an axis, VALID. Doubling: log2(size) additions, no cancellation."""
    take = lambda y, start, length: jax.lax.slice_in_dim(y, start, start + length, axis=axis)
    out = x.shape[axis] - size + 1
    total, done, power, run = None, 0, 1, x
    while power <= size:
        if size & power:
            part = take(run, done, out)
            total = part if total is None else total + part
            done += power
        if 2 * power <= size:
            length = run.shape[axis] - power
            run = take(run, 0, length) + take(run, power, length)
        power *= 2
    return total


def box_filter(maps: jax.Array, size: int) -> jax.Array:
    """Mean filter over size x size pixels of [B, H, W] or [B, H, W, C] (odd size); the border is mirrored.

    Equal to `scipy.ndimage.uniform_filter(map, size)`.
    """
    if size == 1:
        return maps
    margin = [(0, 0), (size // 2,) * 2, (size // 2,) * 2] + [(0, 0)] * (maps.ndim - 3)
    padded = jnp.pad(maps, margin, "symmetric")
    return window_sum(window_sum(padded, size, 1), size, 2) / size**2


def pad_to_multiple(images: jax.Array, multiple: int) -> jax.Array:
    """Mirrors the lower and right border of [B, H, W, C] until H and W are multiples of `multiple`."""
    height, width = images.shape[1:3]
    return jnp.pad(images, ((0, 0), (0, -height % multiple), (0, -width % multiple), (0, 0)), "symmetric")


class Moments(NamedTuple):
    """Sums over pixels of feature vectors, from which a Gaussian follows. Counts are float32: exact to 2^24 images."""

    images: jax.Array  # [] how many pictures
    mean: jax.Array  # [F] sum over pictures of the mean over their pixels
    square: jax.Array  # [F, F] likewise, of the outer products about `shift`
    shift: jax.Array  # [F] a first guess of the mean, so that squares do not cancel


def no_moments(features: int) -> Moments:
    """The moments of nothing."""
    return Moments(jnp.zeros(()), jnp.zeros(features), jnp.zeros((features, features)), jnp.zeros(features))


def add_moments(moments: Moments, features: jax.Array) -> Moments:
    """Adds the pixels of feature maps [B, H, W, F]; each picture counts as one, whatever its size."""
    shift = jnp.where(moments.images == 0, jnp.mean(features, (0, 1, 2)), moments.shift)
    centred = features - shift
    pixels = features.shape[1] * features.shape[2]
    square = jnp.einsum("bhwf,bhwg->fg", centred, centred, precision=jax.lax.Precision.HIGHEST) / pixels
    mean = jnp.sum(jnp.mean(centred, (1, 2)), 0)
    return Moments(moments.images + features.shape[0], moments.mean + mean, moments.square + square, shift)


def mahalanobis(features: jax.Array, moments: Moments) -> jax.Array:
    """Squared distance of each pixel's features [B, H, W, F] to the Gaussian of normal pixels: [B, H, W].

    Divided by F: 1 is usual. Before calibration all distances are measured from 0 with unit variance.
    """
    count = jnp.maximum(moments.images, 1)
    mean = moments.mean / count
    covariance = moments.square / count - jnp.outer(mean, mean)
    # A feature that never varies (or varies with another) must not divide by zero: 1e-4 of each variance is added.
    spread = jnp.where(moments.images > 0, jnp.diag(covariance), 1)
    covariance += jnp.diag(jnp.where(moments.images > 0, 1e-4 * spread + 1e-12, 1))
    whiten = jnp.linalg.inv(jnp.linalg.cholesky(covariance))
    white = jnp.einsum("bhwf,gf->bhwg", features - moments.shift - mean, whiten, precision=jax.lax.Precision.HIGHEST)
    return jnp.mean(jnp.square(white), -1)


def residual_features(images: jax.Array, reconstructions: jax.Array) -> jax.Array:
    """What is unusual about a residual, at each pixel: [B, H, W, F]. Work in progress."""
    image, rebuilt = jnp.mean(images, -1), jnp.mean(reconstructions, -1)
    maps = []
    for size in (3, 7, 15):
        smooth = lambda x, size=size: box_filter(x, size)
        mu, nu = smooth(image), smooth(rebuilt)
        var, war = smooth(image**2) - mu**2, smooth(rebuilt**2) - nu**2
        cov = smooth(image * rebuilt) - mu * nu
        maps += [
            mu,
            mu - nu,
            jnp.sqrt(jnp.maximum(var, 0) + 1e-6),
            jnp.sqrt(jnp.maximum(war, 0) + 1e-6),
            cov / (var + war + 1e-3),
            jnp.sqrt(smooth((image - rebuilt) ** 2)),
        ]
    return jnp.stack(maps, -1)
