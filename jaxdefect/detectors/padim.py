"""PaDiM: at each place of an image a Gaussian over what a frozen backbone sees there in normal images.

For parts that always lie alike. Nothing is trained: at one image size, mean and covariance of a random choice of
channels are gathered for every cell, and a cell scores its Mahalanobis distance. Where there are fewer images than
channels, as is common, the covariance has no full rank and its ridge decides; `feature_gaussian` then fits better.

Use it first for parts that lie alike, and for images that need one verdict each.

Source: Defard, Setkov, Loesch, Audigier, "PaDiM: a patch distribution modeling framework for anomaly detection and
localization", ICPR 2020: Eqs. 1 and 2, Section III-C for the random channels. Its ridge is .01 whatever the features;
here it is a share of their average variance, so that it suits any backbone.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg

from jaxdefect.backbones import Variables
from jaxdefect.backbones.patch_features import SMALLEST, feature_maps
from jaxdefect.detector import Batch, Detector, Scores, no_training
from jaxdefect.statistics.neighbours import EXACT


class State(NamedTuple):
    backbone: Variables
    chosen: jax.Array  # [F] int32, channels of the joined maps
    images: jax.Array  # []
    shift: jax.Array  # [h, w, F] the first images' mean, so that squares do not cancel
    total: jax.Array  # [h, w, F] sum of features, less shift
    square: jax.Array  # [h, w, F, F] sum of their outer products
    mean: jax.Array  # [h, w, F]
    whitening: jax.Array  # [h, w, F, F] W such that W (x - mean) has unit covariance


def make(
    *,
    backbone: str,
    backbone_width: int,
    weights: str,
    stages: tuple[int, ...],
    size: int,
    margin: int,
    channels: int,
    ridge: float,
    smoothing: int,
) -> Detector:
    """PaDiM. The ridge may be a tracer.

    All but two: see `feature_maps`; the size cannot be 0. channels: how many of the joined maps are kept, drawn once.
    ridge: added to every variance, in units of the average variance of a channel. The state holds two matrices of
    channels x channels for each cell: 63 MB for 28 x 28 cells of 100.
    """
    maps = feature_maps(backbone, backbone_width, weights, stages, size, margin, smoothing)
    if size < SMALLEST:
        raise ValueError(f"settings.size = {size}; every place has a Gaussian of its own, so give the pixels a side "
                         f"that all images are brought to, from {SMALLEST} on, such as 224")  # fmt: skip
    if not 1 <= channels <= maps.channels:
        raise ValueError(f"settings.channels = {channels}; stages {tuple(stages)} of {backbone} have {maps.channels} "
                         "channels: keep at least one and at most these")  # fmt: skip

    def init(key: jax.Array, batch: Batch) -> State:
        del batch  # All shapes come from the settings.
        backbone_key, channel_key = jax.random.split(key)
        variables = maps.init(backbone_key)
        _, rows, columns, _ = jax.eval_shape(maps.cells, variables, jnp.zeros((1, size, size, 1))).shape
        chosen = jax.random.permutation(channel_key, maps.channels)[:channels].astype(jnp.int32)
        vectors, matrices = jnp.zeros((rows, columns, channels)), jnp.zeros((rows, columns, channels, channels))
        return State(
            variables, chosen, jnp.zeros(()), vectors, vectors, matrices, vectors, matrices + jnp.eye(channels)
        )  # fmt: skip

    def cells(state: State, images: jax.Array) -> jax.Array:
        return jnp.take(maps.cells(state.backbone, images), state.chosen, -1)

    def score(state: State, images: jax.Array) -> Scores:
        white = jnp.einsum("hwgf,bhwf->bhwg", state.whitening, cells(state, images) - state.mean, precision=EXACT)
        distance = jnp.sqrt(jnp.sum(jnp.square(white), -1))
        distance = maps.to_pixels(distance, *images.shape[1:3])
        return Scores(jnp.max(distance, (1, 2)), distance)

    def calibrate(state: State, images: jax.Array) -> State:
        features = cells(state, images)
        shift = jnp.where(state.images == 0, jnp.mean(features, 0), state.shift)
        centred = features - shift
        return state._replace(
            images=state.images + len(images), shift=shift, total=state.total + jnp.sum(centred, 0),
            square=state.square + jnp.einsum("bhwf,bhwg->hwfg", centred, centred, precision=EXACT),
        )  # fmt: skip

    def finalize(state: State) -> State:
        mean, covariance = gaussian(state)
        variance = jnp.mean(jnp.diagonal(covariance, axis1=-2, axis2=-1))
        # One image, or images that are all the same, have no variance: distances are then plain ones.
        added = jnp.where(variance > 0, ridge * variance, 1.0)
        matrix = covariance + added * jnp.eye(channels)
        identity = jnp.broadcast_to(jnp.eye(channels), matrix.shape)
        whitening = jax.scipy.linalg.solve_triangular(jnp.linalg.cholesky(matrix), identity, lower=True)
        return state._replace(mean=state.shift + mean, whitening=whitening)

    return Detector(init, no_training, score, calibrate, finalize)


def gaussian(state: State) -> tuple[jax.Array, jax.Array]:
    """(mean less shift [h, w, F], covariance [h, w, F, F]) of the images so far (Eq. 1 without its ridge)."""
    mean = state.total / jnp.maximum(state.images, 1)
    about = state.square - state.total[..., None] * mean[..., None, :]
    return mean, about / jnp.maximum(state.images - 1, 1)
