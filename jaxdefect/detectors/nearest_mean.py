"""Nearest mean: the sober baseline of zero-shot classifiers. An image far from the mean of every surface is unseen.

Distances count each feature in units of how much images of one surface differ in it (Fisher's linear discriminant
with a diagonal covariance): the alarm asks whether an image is further from a surface than its own images are.

Use it before `sbad`: it is simple, and was the better one on 19 of 45 pairs of unseen surfaces.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxdefect import parallel
from jaxdefect.backbones.trainable import extractor
from jaxdefect.detector import Batch, Detector, Scores
from jaxdefect.training.optim import Player
from jaxdefect.zero_shot import class_embeddings

FLOOR = 0.1  # A feature is taken to vary by no less than this share of what features vary by on average.


class State(NamedTuple):
    backbone: Player
    counts: jax.Array  # [K] images of each class
    sums: jax.Array  # [K, F] of their features
    squares: jax.Array  # [F] sum over all images of squared features
    step: jax.Array  # taken so far, int32


def make(
    *,
    attributes: dict | tuple,
    backbone: str,
    backbone_width: int,
    backbone_size: int,
    weights: str,
    backbone_steps: int,
    backbone_rate: float,
) -> Detector:
    """Nearest mean. backbone_rate may be a tracer.

    attributes: {class: (A numbers)} or pairs of the two, of which only the number and order of classes count here.
    All others: see `extractor`; weights is the path of the backbone's file, "" for random ones.
    """
    classes = len(class_embeddings.embedding_table(attributes))
    extract = extractor(
        backbone=backbone, width=backbone_width, size=backbone_size, file=weights,
        steps=backbone_steps, rate=backbone_rate, classes=classes,
    )  # fmt: skip

    def init(key: jax.Array, batch: Batch) -> State:
        del batch  # All shapes come from the settings.
        sums = jnp.zeros((classes, extract.count))
        return State(extract.init(key), sums[:, 0], sums, sums[0], jnp.zeros((), jnp.int32))

    def means(state: State) -> jax.Array:
        return state.sums / jnp.maximum(state.counts, 1)[:, None]

    def backbone_step(state: State, batch: Batch, x: jax.Array):
        backbone, loss = extract.learn(state.backbone, batch, jnp.ones(len(x)))
        return state._replace(backbone=backbone), loss

    def mean_step(state: State, batch: Batch, x: jax.Array):
        """The loss is what the present means leave of the features' square: 1 with none yet."""
        total = lambda values: class_embeddings.sum_by_class(values, batch.surface, classes)
        left = jnp.mean(jnp.square(x - means(state)[batch.surface]))
        loss = left / jnp.maximum(parallel.mean(jnp.mean(jnp.square(x))), 1e-12)
        squares = lax.psum(jnp.sum(jnp.square(x), 0), parallel.AXIS)
        state = state._replace(
            counts=state.counts + total(jnp.ones(len(x))), sums=state.sums + total(x), squares=state.squares + squares
        )
        return state, loss

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.
        class_embeddings.check_surfaces(batch)
        x = extract.batch_features(state.backbone, batch)
        phases = (backbone_step, mean_step) if backbone_steps else (mean_step,)
        phase = (state.step >= backbone_steps).astype(jnp.int32)
        state, loss = lax.switch(phase, phases, state, batch, x)
        return state._replace(step=state.step + 1), {"loss": loss}

    def score_features(state: State, x: jax.Array) -> Scores:
        centres = means(state)
        explained = jnp.sum(state.counts[:, None] * jnp.square(centres), 0)
        variance = jnp.maximum(state.squares - explained, 0) / jnp.maximum(jnp.sum(state.counts), 1)
        deviation = jnp.sqrt(variance)
        deviation = jnp.maximum(deviation, FLOOR * jnp.mean(deviation) + 1e-6)
        apart = jnp.sqrt(jnp.mean(jnp.square((x[:, None] - centres) / deviation), -1))
        apart = jnp.where(state.counts > 0, apart, jnp.inf)
        return Scores(jnp.min(apart, -1), surface=jnp.argmin(apart, -1).astype(jnp.int32), classes=-apart)

    def score(state: State, images: jax.Array) -> Scores:
        return score_features(state, extract.features(state.backbone, images))

    return Detector(init, step, score, frozen=extract.frozen(score_features))
