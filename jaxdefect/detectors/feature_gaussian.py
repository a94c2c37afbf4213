"""One Gaussian over what a frozen backbone sees anywhere in normal images: a defect is far from it.

The simplest yardstick for a texture that looks alike everywhere. Nothing is trained: mean and covariance of the joined
feature maps are gathered in one pass over the normal images, and a place of an image scores its squared Mahalanobis
distance, divided by the number of features: 1 is usual. The worst place makes the image's score.

Use it first on any texture: seconds to fit, and hard to beat in outlining stains and holes.

Source: the Gaussian of Rippel, Mertens, Merhof, "Modeling the distribution of normal data in pre-trained deep features
for anomaly detection", ICPR 2020, which has one vector per image; here one per cell, which all share it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdefect.backbones import Variables
from jaxdefect.backbones.patch_features import feature_maps, projection
from jaxdefect.detector import Batch, Detector, Scores, no_training
from jaxdefect.statistics import gaussian
from jaxdefect.statistics.gaussian import Normal
from jaxdefect.statistics.neighbours import EXACT

FLOOR = 1e-4  # A feature is taken to vary by no less than this share of the average variance of all features.


class State(NamedTuple):
    backbone: Variables
    directions: jax.Array | tuple[()]  # [F, channels] that features are projected on; () where all are kept
    normal: Normal
    mean: jax.Array  # [F]
    whitening: jax.Array  # [F, F], made of the sums once all images are in


def make(
    *,
    backbone: str,
    backbone_width: int,
    weights: str,
    stages: tuple[int, ...],
    size: int,
    margin: int,
    channels: int,
    smoothing: int,
) -> Detector:
    """One Gaussian of all cells. There are no floats.

    All but `channels`: see `feature_maps`. channels: random directions that features are projected on, 0 to keep them
    all; the covariance costs their square. Images may have any size.
    """
    if channels < 0:
        raise ValueError(f"settings.channels = {channels}; give how many directions to keep, or 0 for all features")
    maps = feature_maps(backbone, backbone_width, weights, stages, size, margin, smoothing)
    count = channels or maps.channels

    def init(key: jax.Array, batch: Batch) -> State:
        del batch  # All shapes come from the settings.
        backbone_key, direction_key = jax.random.split(key)
        directions = projection(direction_key, maps.channels, channels) if channels else ()
        return State(maps.init(backbone_key), directions, gaussian.empty(count), jnp.zeros(count), jnp.eye(count))

    def cells(state: State, images: jax.Array) -> jax.Array:
        features = maps.cells(state.backbone, images)
        return jnp.matmul(features, state.directions, precision=EXACT) if channels else features

    def score(state: State, images: jax.Array) -> Scores:
        white = jnp.matmul(cells(state, images) - state.mean, state.whitening.T, precision=EXACT)
        distance = maps.to_pixels(jnp.mean(jnp.square(white), -1), *images.shape[1:3])
        return Scores(jnp.max(distance, (1, 2)), distance)

    def calibrate(state: State, images: jax.Array) -> State:
        return state._replace(normal=gaussian.update(state.normal, cells(state, images)))

    def finalize(state: State) -> State:
        mean, whitening = gaussian.whitening(state.normal, floor=FLOOR)
        return state._replace(mean=mean, whitening=whitening)

    return Detector(init, no_training, score, calibrate, finalize)
