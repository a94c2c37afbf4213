"""PHOT: the phase of an image's spectrum without its magnitude. Regular texture vanishes, what breaks it stands out.

Texture is in the magnitudes: a few strong frequencies. With all of them equally strong, only edges and irregularities
are left, which a Gaussian then gathers.

Use it as a check that takes no training, for breaks in a regular pattern.

Source: Aiger, Talbot, "The Phase Only Transform for Unsupervised Surface Defect Detection", CVPR 2010; a baseline of
ReNet-D, Table 6.
"""

import jax
import jax.numpy as jnp

from jaxdefect.detector import Detector
from jaxdefect.families.texture_removal import texture_removal
from jaxdefect.maps.texture_removal import radii


def make(*, epsilon: float, sigma: float) -> Detector:
    """PHOT. Both numbers may be tracers. Nothing is trained.

    epsilon: added to each magnitude before dividing by it. sigma: of the Gaussian, pixels. The map is the level
    |x - mu| / sigma of each image, the score its maximum.
    """
    return texture_removal(lambda grey: phase_only(grey, epsilon=epsilon, sigma=sigma))


def phase_only(grey: jax.Array, *, epsilon: float | jax.Array, sigma: float | jax.Array) -> jax.Array:
    """The inverse transform of F / (|F| + epsilon), smoothed by a Gaussian; [B, H, W] -> the same.

    F is the orthonormal transform, so epsilon means the same at any size. The Gaussian (sigma in pixels) is a product
    of spectra: images go on periodically at their border for it as for the transform.
    """
    height, width = grey.shape[1:]
    spectrum = jnp.fft.rfft2(grey, norm="ortho")
    gaussian = jnp.exp(-2 * jnp.square(jnp.pi * sigma * radii(height, width)))
    return jnp.fft.irfft2(spectrum / (jnp.abs(spectrum) + epsilon) * gaussian, (height, width), norm="ortho")
