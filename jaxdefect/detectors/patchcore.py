"""PatchCore: what a frozen backbone sees at any place of normal images is kept; a defect is like nothing of it.

Nothing is trained: an even sample of all cells is gathered in one pass, a few of them that cover it are chosen
(a greedy k-centre coreset), and a cell scores its distance to the nearest of these. Unlike a Gaussian they follow a
texture of several parts, and unlike PaDiM's they may lie anywhere.

Use it for parts and patterns with few normal images; it takes longer for each image than the Gaussians.

Source: Roth, Pemula, Zepeda, Schoelkopf, Brox, Gehler, "Towards total recall in industrial anomaly detection", CVPR
2022: Algorithm 1, Eqs. 5 to 7. There the coreset is chosen from all cells; here from a sample that fits in memory.
Distances are in units of how far normal cells lie from their mean (root mean square), so that Eq. 7, which takes
exponentials of them, means the same for any backbone.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxdefect.backbones import Variables
from jaxdefect.backbones.patch_features import feature_maps, projection
from jaxdefect.detector import Batch, Detector, Scores, no_training
from jaxdefect.statistics import coreset as coresets
from jaxdefect.statistics.coreset import Reservoir
from jaxdefect.statistics.neighbours import EXACT


class State(NamedTuple):
    backbone: Variables
    directions: jax.Array | tuple[()]  # [F, projection] in which the coreset is chosen; () for the features themselves
    bank: Reservoir
    mean: jax.Array  # [F] of the bank
    unit: jax.Array  # [] how far from it the bank lies
    coreset: jax.Array  # [K, F] less mean, in this unit
    distinct: jax.Array  # [] int32, rows of the coreset; those after them repeat others


def make(
    *,
    backbone: str,
    backbone_width: int,
    weights: str,
    stages: tuple[int, ...],
    size: int,
    margin: int,
    bank: int,
    coreset: int,
    projection_size: int,
    neighbours: int,
    smoothing: int,
) -> Detector:
    """PatchCore. There are no floats.

    backbone to margin, and smoothing: see `feature_maps`. bank: cells sampled. coreset: cells chosen of them.
    projection_size: random directions in which they are chosen (128), 0 for the features themselves. neighbours: cells
    of the coreset around the nearest one that weigh an image's score (b of Eq. 7), 0 for the plain distance.
    """
    _check(bank=bank, coreset=coreset, projection_size=projection_size, neighbours=neighbours)
    maps = feature_maps(backbone, backbone_width, weights, stages, size, margin, smoothing)
    count = maps.channels

    def init(key: jax.Array, batch: Batch) -> State:
        del batch  # All shapes come from the settings.
        backbone_key, direction_key = jax.random.split(key)
        directions = projection(direction_key, count, projection_size) if projection_size else ()
        return State(
            maps.init(backbone_key), directions, coresets.reservoir(bank, count),
            jnp.zeros(count), jnp.ones(()), jnp.zeros((coreset, count)), jnp.zeros((), jnp.int32),
        )  # fmt: skip

    def score(state: State, images: jax.Array) -> Scores:
        cells = (maps.cells(state.backbone, images) - state.mean) / state.unit
        filled = jnp.arange(coreset) < state.distinct
        distance, nearest = coresets.nearest(cells.reshape(-1, count), state.coreset, filled=filled)
        distance, nearest = (x.reshape(len(images), -1) for x in (distance, nearest))
        worst = jnp.argmax(distance, -1)
        of_worst = lambda x: x[jnp.arange(len(x)), worst]
        image_scores = of_worst(distance)
        if neighbours:
            queries = of_worst(cells.reshape(len(images), -1, count))
            image_scores *= weight(queries, of_worst(nearest), state.coreset, filled, neighbours=neighbours)
        return Scores(image_scores, maps.to_pixels(distance.reshape(cells.shape[:-1]), *images.shape[1:3]))

    def calibrate(state: State, images: jax.Array) -> State:
        return state._replace(bank=coresets.update(state.bank, maps.cells(state.backbone, images)))

    def finalize(state: State) -> State:
        filled = state.bank.priority >= 0
        rows = jnp.sum(filled)
        mean = jnp.sum(state.bank.vectors, 0) / jnp.maximum(rows, 1)  # Empty rows are zeros.
        centred = jnp.where(filled[:, None], state.bank.vectors - mean, 0)
        variance = jnp.sum(jnp.square(centred)) / jnp.maximum(rows, 1)
        unit = jnp.where(variance > 0, jnp.sqrt(variance), 1.0)  # Cells that are all the same have none.
        vectors = centred / unit
        compared = jnp.matmul(vectors, state.directions, precision=EXACT) if projection_size else vectors
        chosen = coresets.k_centres(compared, coreset, filled=filled)
        distinct = jnp.minimum(rows, coreset).astype(jnp.int32)
        return state._replace(mean=mean, unit=unit, coreset=vectors[chosen], distinct=distinct)

    return Detector(init, no_training, score, calibrate, finalize)


def weight(queries: jax.Array, nearest: jax.Array, bank: jax.Array, filled: jax.Array, *, neighbours: int) -> jax.Array:
    """[B]: 1 - exp(d) / sum of exp(d_i), at most 1: how unlike its surroundings in the bank [K, F] the nearest one is.

    d is the distance of a query [B, F] to its nearest row [B] of the bank, d_i those to the `neighbours` filled rows
    that are nearest to that one, itself among them (Eq. 7). 1 where no more than one is filled.
    """
    apart = lambda rows: jnp.sqrt(jnp.sum(jnp.square(rows[:, None] - bank), -1))
    between = jnp.where(filled, apart(bank[nearest]), jnp.inf).at[jnp.arange(len(queries)), nearest].set(-1)
    _, around = lax.top_k(-between, neighbours)  # The nearest one first.
    distances = jnp.take_along_axis(apart(queries), around, -1)
    shares = jax.nn.softmax(jnp.where(filled[around], distances, -jnp.inf).at[:, 0].set(distances[:, 0]), -1)
    return jnp.where(jnp.sum(filled) > 1, 1 - shares[:, 0], 1.0)


def _check(*, bank: int, coreset: int, projection_size: int, neighbours: int) -> None:
    if not 1 <= coreset <= bank:
        raise ValueError(f"settings.coreset = {coreset} is chosen from settings.bank = {bank} cells; give at least one "
                         "and at most these")  # fmt: skip
    if projection_size < 0:
        raise ValueError(f"settings.projection_size = {projection_size}; give a number of directions, or 0 for none")
    if not (neighbours == 0 or 2 <= neighbours <= coreset):
        raise ValueError(f"settings.neighbours = {neighbours}; the nearest cell is one of them, so give from 2 to "
                         f"settings.coreset = {coreset}, or 0 to leave the weight out")  # fmt: skip
