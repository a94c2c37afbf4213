"""Reconstruction losses. Images are [B, H, W, C] in [0, 1]: on 0-255 the same alpha is another loss."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import dm_pix
import jax
import jax.numpy as jnp
import numpy as np

WINDOW, SIGMA = 11, 1.5  # Wang et al. 2004


@functools.cache
def gaussian_band(length: int, window: int = WINDOW) -> np.ndarray:
    """[length - window + 1, length]: a VALID 1-D Gaussian filter as a banded matrix."""
    taps = np.exp(-0.5 * ((np.arange(window) - (window - 1) / 2) / SIGMA) ** 2)
    band = np.zeros((length - window + 1, length), np.float32)
    for row in range(len(band)):
        band[row, row : row + window] = taps / taps.sum()
    return band


# Up to this many pixels a side the band is a matrix product (10x faster on small patches); past it, a convolution.
BAND_LIMIT = 128


def gaussian_filter(images: jax.Array, *, window: int = WINDOW) -> jax.Array:
    """Gaussian filter of [B, H, W, C] without padding: [B, H - window + 1, W - window + 1, C]."""
    height, width = images.shape[-3:-1]
    exact = jax.lax.Precision.HIGHEST
    if max(height, width) <= BAND_LIMIT:
        rows, columns = gaussian_band(height, window), gaussian_band(width, window)
        return jnp.einsum("yh,bhwc,xw->byxc", rows, images, columns, precision=exact, optimize=[(0, 1), (0, 1)])
    # Shifted sums: each tap is one fused multiply-add over the whole image, without im2col.
    taps = gaussian_band(window, window)[0]
    images = sum(tap * images[:, i : height - window + 1 + i] for i, tap in enumerate(taps))
    return sum(tap * images[:, :, i : width - window + 1 + i] for i, tap in enumerate(taps))


def ssim_map(a: jax.Array, b: jax.Array, *, window: int = WINDOW) -> jax.Array:
    """Structural similarity at each window that fits: [B, H - window + 1, W - window + 1, C], 1 where equal.

    dm-pix's SSIM (K = .01, .03; range 1) with its Gaussian as matrix products. Raises ValueError if the images are
    smaller than the window. Source: Wang et al. 2004; ReNet-D Eq. 5 with the numerator 2 sigma_xy of the original.
    """
    height, width = a.shape[-3:-1]
    if min(height, width) < window:
        raise ValueError(f"SSIM needs at least {window} x {window} pixels, got {height} x {width}; use larger patches")
    return dm_pix.ssim(a, b, return_map=True, filter_fn=functools.partial(gaussian_filter, window=window))


def l1(reconstruction: jax.Array, image: jax.Array) -> jax.Array:
    """Mean absolute error (ReNet-D Eq. 4 without the weight penalty)."""
    return jnp.mean(jnp.abs(reconstruction - image))


def mse(reconstruction: jax.Array, image: jax.Array) -> jax.Array:
    """Mean squared error (ReNet-D Eq. 3 without the weight penalty)."""
    return jnp.mean(jnp.square(reconstruction - image))


def ssim(reconstruction: jax.Array, image: jax.Array) -> jax.Array:
    """1 - SSIM (ReNet-D Eq. 6)."""
    return 1 - jnp.mean(ssim_map(reconstruction, image))


def ms_ssim(pairs: Sequence[tuple[jax.Array, jax.Array]]) -> jax.Array:
    """1 - the product over scales of SSIM (ReNet-D Eq. 7).

    pairs: (decoded, encoded) of each scale, the image itself among them, any channels. Our reading: SSIM of untrained
    features may be negative and a product of signs means nothing, so each factor is (1 + SSIM) / 2; the encoder's
    features are targets only (no gradient), or it would learn to be constant; scales under 4 pixels are left out and
    the window shrinks with the scale.
    """
    product = 1.0
    for decoded, encoded in pairs:
        side = min(decoded.shape[1:3])
        if side >= 4:
            window = min(WINDOW, side - 1 + side % 2)
            product *= (1 + jnp.mean(ssim_map(decoded, jax.lax.stop_gradient(encoded), window=window))) / 2
    return 1 - product


def weighted_pair(alpha: float | jax.Array, first: jax.Array, second: jax.Array) -> jax.Array:
    """alpha * first + (1 - alpha) * second (ReNet-D Eq. 8). alpha may be a tracer."""
    return alpha * first + (1 - alpha) * second


def frobenius_norm(params: Any) -> jax.Array:
    """|w|_F over all kernels (not biases, not normalisation) of a parameter tree: the penalty of ReNet-D Eq. 3-4."""
    kernels = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
    return jnp.sqrt(sum(jnp.sum(jnp.square(kernel)) for kernel in kernels))


PIXEL_LOSSES: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {"l1": l1, "mse": mse, "ssim": ssim}
