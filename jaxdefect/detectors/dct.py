"""DCT: the dominant coefficients of an image's cosine transform are its texture. Without them, defects are left.

Use it as a check that takes no training, on a regular texture.

Source: a baseline of texture inspection (Perng, Chen, "Directional textures auto-inspection using discrete cosine
transform", International Journal of Production Research 49, 2011). Our reading: a coefficient is dominant if it exceeds
`dominant` times the root mean square of all, which is the standard deviation of the image; it is set to zero wherever
it lies. What is left is smoothed as PHOT smooths, and judged by its level.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect.detector import Detector
from jaxdefect.families.texture_removal import texture_removal


def make(*, dominant: float, sigma: float) -> Detector:
    """DCT. Both numbers may be tracers. Nothing is trained.

    dominant: coefficients larger than this many times their root mean square are the texture. sigma: of the Gaussian,
    pixels; 0 for none. The map is the level |x - mu| / sigma of each image, the score its maximum.
    """
    return texture_removal(lambda grey: without_dominant(grey, dominant=dominant, sigma=sigma))


def without_dominant(grey: jax.Array, *, dominant: float | jax.Array, sigma: float | jax.Array) -> jax.Array:
    """Images [B, H, W] of mean 0 without their dominant cosines, smoothed by a Gaussian (sigma in pixels).

    The Gaussian is a product of spectra; images are mirrored at their border for it as for the transform (DCT-II).
    """
    height, width = grey.shape[1:]
    spectrum = jax.scipy.fft.dctn(grey, axes=(1, 2), norm="ortho")
    limit = dominant * jnp.sqrt(jnp.mean(jnp.square(grey), (1, 2), keepdims=True))  # Parseval.
    frequencies = np.hypot(np.arange(height)[:, None] / (2 * height), np.arange(width) / (2 * width))
    gaussian = jnp.exp(-2 * jnp.square(jnp.pi * sigma * frequencies))
    left = jnp.where(jnp.abs(spectrum) > limit, 0, spectrum) * gaussian
    return jax.scipy.fft.idctn(left, axes=(1, 2), norm="ortho")
