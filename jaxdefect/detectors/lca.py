"""LCA: low-pass filtering with curvature analysis. The radius at which a spectrum turns flat is where texture begins.

A random texture spreads its power over the outer rings of the spectrum, a defect larger than its grains adds power near
zero frequency. The share of the power within a radius rises steeply and then bends; all beyond the bend is set to zero.

Use it as a check that takes no training, for stains larger than the grain of a texture.

Source: Tsai, Huang, "Automated surface inspection for statistical textures", Image and Vision Computing 21, 2003; a
baseline of ReNet-D, Table 6. Our reading: the bend is the largest curvature of the cumulative power over the radius,
both as shares of their largest values, where it turns flat, not where it turns steep.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect.detector import Detector
from jaxdefect.families.texture_removal import texture_removal
from jaxdefect.maps.texture_removal import FLOOR, radii


def make() -> Detector:
    """LCA. Nothing is trained or set. The map is the level |I - mu| / sigma of what is left, the score its maximum."""
    return texture_removal(low_pass)


def low_pass(grey: jax.Array) -> jax.Array:
    """Images [B, H, W] without the frequencies beyond the radius of largest curvature of each."""
    height, width = grey.shape[1:]
    spectrum = jnp.fft.rfft2(grey, norm="ortho")
    ring = rings(height, width)
    inside = ring <= bend(cumulative_power(spectrum, (height, width)))[:, None, None]
    return jnp.fft.irfft2(jnp.where(inside, spectrum, 0), (height, width), norm="ortho")


def rings(height: int, width: int) -> np.ndarray:
    """[H, W // 2 + 1]: the ring of each frequency, in cycles per longer side of the image, rounded; 0 is the mean."""
    return np.rint(radii(height, width) * max(height, width)).astype(np.int32)


def cumulative_power(spectrum: jax.Array, size: tuple[int, int]) -> jax.Array:
    """The share of the power of spectra [B, H, W // 2 + 1] up to each ring, the mean left out: [B, rings], 0 to 1.

    Rings beyond half a cycle per pixel lie only in the corners of the spectrum and do not count.
    """
    height, width = size
    ring = rings(height, width)
    twins = np.where(np.arange(width // 2 + 1) * 2 % width == 0, 1, 2)  # The other half is the conjugate.
    power = jnp.square(jnp.abs(spectrum)) * twins * (ring > 0)
    count = max(max(height, width) // 2, 2) + 1
    by_ring = jax.vmap(lambda values: jax.ops.segment_sum(values.ravel(), ring.ravel(), count))(power)
    total = jnp.cumsum(by_ring, -1)
    return total / jnp.maximum(total[:, -1:], FLOOR**2)


def bend(share: jax.Array) -> jax.Array:
    """Where curves [B, N] over [0, 1] turn flat: the place of the largest -y'' / (1 + y'^2)^(3/2); [B]."""
    steps = share.shape[1] - 1
    slope = (share[:, 2:] - share[:, :-2]) * steps / 2
    second = (share[:, 2:] - 2 * share[:, 1:-1] + share[:, :-2]) * steps**2
    return jnp.argmax(-second / (1 + jnp.square(slope)) ** 1.5, -1) + 1
