"""What is usual: feature vectors of normal pixels as a Gaussian, and a sample of them to be near to.

Features are [B, H, W, F]; a distance is [B, H, W], a higher one is worse. Everything is folded over images one by
one, so that a set of images need not fit in memory.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxdefect.statistics.neighbours import EXACT, compare_with_bank

RIDGE = 1e-2  # share of each feature's variance that is added to it
ROUNDING = 1e-12  # a variance that is no more than rounding


class Normal(NamedTuple):
    """Sums over images, each counting as one whatever its size, and a sample of vectors drawn evenly from them."""

    images: jax.Array  # []
    shift: jax.Array  # [F] a first guess of the mean, so that squares do not cancel
    mean: jax.Array  # [F] sum over images of the mean over their pixels, less shift
    square: jax.Array  # [F, F] likewise, of the outer products
    bank: jax.Array  # [M, F]


def empty(features: int, *, bank: int = 0) -> Normal:
    """Before the first image. bank: how many vectors to keep."""
    zeros = jnp.zeros
    kept = zeros((max(bank, 1), features))  # Checkpoints hold no empty arrays.
    return Normal(zeros(()), zeros(features), zeros(features), zeros((features, features)), kept)


def update(normal: Normal, features: jax.Array) -> Normal:
    """Adds the pixels of feature maps [B, H, W, F].

    Each place of the bank keeps what it holds with the share of the images so far, and else takes a random pixel of
    these: in the end every image is in it alike (reservoir sampling). The draw depends on the count of images only.
    """
    batch, height, width, count = features.shape
    shift = jnp.where(normal.images == 0, jnp.mean(features, (0, 1, 2)), normal.shift)
    centred = features - shift
    square = jnp.einsum("bhwf,bhwg->fg", centred, centred, precision=EXACT) / (height * width)
    which, whether = jax.random.split(jax.random.fold_in(jax.random.key(0), normal.images.astype(jnp.int32)))
    places = len(normal.bank)
    drawn = features.reshape(-1, count)[jax.random.randint(which, (places,), 0, batch * height * width)]
    replace = jax.random.uniform(whether, (places, 1)) * (normal.images + batch) < batch
    return Normal(
        normal.images + batch,
        shift,
        normal.mean + jnp.sum(jnp.mean(centred, (1, 2)), 0),
        normal.square + square,
        jnp.where(replace, drawn, normal.bank),
    )


def whitening(normal: Normal, *, floor: float = 0.0) -> tuple[jax.Array, jax.Array]:
    """(mean [F], W [F, F]) such that W (x - mean) has unit variance in every direction over normal pixels.

    A direction that hardly varies must not decide alone: RIDGE of each feature's variance is added. floor: for features
    of one unit, such as those of a backbone: each is taken to vary by this share of the features' average variance at
    least, so that a feature which is constant in normal images is not divided by next to nothing. Before the first
    image W is the identity.
    """
    count = jnp.maximum(normal.images, 1)
    mean = normal.mean / count
    covariance = normal.square / count - jnp.outer(mean, mean)
    counted = normal.images > 0
    variance = jnp.diag(covariance)
    added = jnp.maximum(floor * jnp.mean(variance) - variance, 0) if floor else jnp.zeros_like(variance)
    # As a correlation matrix, so that features of any scale are treated alike.
    scale = lax.rsqrt(jnp.where(counted, variance + added + ROUNDING, 1))
    correlation = jnp.where(counted, (covariance + jnp.diag(added)) * scale * scale[:, None], 0)
    correlation += jnp.eye(len(mean)) * (1 - counted + RIDGE)
    return normal.shift + mean, jnp.linalg.inv(jnp.linalg.cholesky(correlation)) * scale


def whiten(normal: Normal, features: jax.Array) -> jax.Array:
    """Features [..., F] in units of what is usual."""
    mean, matrix = whitening(normal)
    return jnp.einsum("...f,gf->...g", features - mean, matrix, precision=EXACT)


def mahalanobis(normal: Normal, features: jax.Array) -> jax.Array:
    """Squared distance to the Gaussian of normal pixels, divided by F: 1 is usual."""
    return jnp.mean(jnp.square(whiten(normal, features)), -1)


def nearest(normal: Normal, features: jax.Array) -> jax.Array:
    """Squared distance to the nearest vector of the bank, whitened, divided by F.

    Unlike a Gaussian it follows a texture of several parts, such as fibres and the gaps between them.
    """
    count = features.shape[-1]
    smallest = lambda rows, distances: jnp.sum(jnp.square(rows), -1) + jnp.min(distances, -1)
    squared = compare_with_bank(whiten(normal, features).reshape(-1, count), whiten(normal, normal.bank), smallest)
    return jnp.maximum(squared, 0).reshape(features.shape[:-1]) / count
