"""What PHOT, LCA and DCT share: texture is removed in the frequency domain, and what is left judged by its level.

No image is needed to compare with: a regular texture is a few strong frequencies, a defect a little of all of them.
Images are grey, [B, H, W].
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect.detector import Batch, Detector, Scores, no_training

FLOOR = 1e-6  # Deviations below it are rounding; one grey level is 4e-3.


class State(NamedTuple):
    nothing: jax.Array  # [] Nothing is learned, but a checkpoint must hold something.


def detector(remove_texture: Callable[[jax.Array], jax.Array]) -> Detector:
    """The detector whose map is the level of what `remove_texture` leaves of images [B, H, W] of mean 0.

    The score of an image is the largest level in it. A level is in standard deviations of its own image, so a normal
    image, too, has pixels of level 3 or 4: thresholds say how high is usual.
    """

    def init(key: jax.Array, batch: Batch) -> State:
        del key, batch  # Nothing depends on either.
        return State(jnp.zeros(()))

    def score(state: State, images: jax.Array) -> Scores:
        del state
        grey = jnp.mean(images, -1)
        # The mean says nothing of a defect, but rounds the frequencies beside it.
        levels = level(remove_texture(grey - jnp.mean(grey, (1, 2), keepdims=True)))
        return Scores(jnp.max(levels, (1, 2)), levels)

    return Detector(init, no_training, score)


def level(images: jax.Array) -> jax.Array:
    """|x - mu| / sigma with the mean and standard deviation of each image [B, H, W]; 0 if it is constant."""
    centred = images - jnp.mean(images, (1, 2), keepdims=True)
    sigma = jnp.sqrt(jnp.mean(jnp.square(centred), (1, 2), keepdims=True))
    return jnp.where(sigma > FLOOR, jnp.abs(centred) / jnp.maximum(sigma, FLOOR), 0)


def radii(height: int, width: int) -> np.ndarray:
    """[H, W // 2 + 1]: the distance of each frequency of `rfft2` from zero, in cycles per pixel."""
    return np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
