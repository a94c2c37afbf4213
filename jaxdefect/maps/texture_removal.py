"""For detectors that remove texture in the frequency domain: the level of what is left, and how far frequencies lie.

Images are grey, [B, H, W].
"""

import jax
import jax.numpy as jnp
import numpy as np

FLOOR = 1e-6  # Deviations below it are rounding; one grey level is 4e-3.


def level(images: jax.Array) -> jax.Array:
    """|x - mu| / sigma with the mean and standard deviation of each image [B, H, W]; 0 if it is constant."""
    centred = images - jnp.mean(images, (1, 2), keepdims=True)
    sigma = jnp.sqrt(jnp.mean(jnp.square(centred), (1, 2), keepdims=True))
    return jnp.where(sigma > FLOOR, jnp.abs(centred) / jnp.maximum(sigma, FLOOR), 0)


def radii(height: int, width: int) -> np.ndarray:
    """[H, W // 2 + 1]: the distance of each frequency of `rfft2` from zero, in cycles per pixel."""
    return np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
