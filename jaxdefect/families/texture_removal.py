"""Detectors that remove the texture of a grey image in the frequency domain and judge by the level of the rest.

A regular texture is a few strong frequencies, a defect a little of all of them: no other image is needed to compare
with, and nothing is trained.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdefect.detector import Batch, Detector, Scores, no_training
from jaxdefect.maps.texture_removal import level


class State(NamedTuple):
    nothing: jax.Array  # [] Nothing is learned, but a checkpoint must hold something.


def texture_removal(remove_texture: Callable[[jax.Array], jax.Array]) -> Detector:
    """The detector whose map is the level of what `remove_texture` leaves of images [B, H, W] of mean 0.

    The score of an image is the largest level in it. A level is in standard deviations of the image it belongs to, so
    normal images, too, have pixels of level 3 or 4: how high is usual, a threshold has to say.
    """

    def init(key: jax.Array, batch: Batch) -> State:
        del key, batch  # Nothing depends on either.
        return State(jnp.zeros(()))

    def score(state: State, images: jax.Array) -> Scores:
        del state
        grey = jnp.mean(images, -1)
        # The mean says nothing of a defect, but spoils the frequencies beside it by rounding.
        levels = level(remove_texture(grey - jnp.mean(grey, (1, 2), keepdims=True)))
        return Scores(jnp.max(levels, (1, 2)), levels)

    return Detector(init, no_training, score)
