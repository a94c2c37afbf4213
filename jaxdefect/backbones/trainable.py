"""A backbone that lives in a detector's state: frozen from the start, or once it has learned to tell surfaces apart."""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxdefect import backbones
from jaxdefect.backbones import weights
from jaxdefect.detector import Batch, FrozenBackbone, Scores, State
from jaxdefect.networks.blocks import apply
from jaxdefect.parallel import weighted_mean
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

HEAD = nn.initializers.lecun_normal()  # Not zeros: the backbone would have no gradient in its first step.


class Extractor(NamedTuple):
    """From images to features [B, F], by a backbone that lives in a state.

    init: key -> the backbone, from the file of weights or drawn at random; where it never learns, the same for any key.
    features: (backbone, images [B, H, W, C] in [0, 1]) -> features.
    batch_features: (backbone, batch) -> features, of its images or those that it holds in their place.
    learn: (backbone, batch, weights [B]) -> (backbone, loss), a step in which the backbone itself is trained.
    frozen: (score: (state, features) -> Scores) -> what a detector adds to the seam; None where the backbone learns.
    count: F.
    """

    init: Callable[[jax.Array], Player]
    features: Callable[[Player, jax.Array], jax.Array]
    batch_features: Callable[[Player, Batch], jax.Array]
    learn: Callable[[Player, Batch, jax.Array], tuple[Player, jax.Array]]
    frozen: Callable[[Callable[[State, jax.Array], Scores]], FrozenBackbone | None]
    count: int


def extractor(
    *, backbone: str, width: int, size: int, file: str, steps: int, rate: float | jax.Array, classes: int
) -> Extractor:
    """The backbone of a zero-shot classifier. The learning rate may be a tracer.

    backbone: a name of `backbones.names()`; width: of `small`; size: pixels a side that it sees; file: of its weights,
    "" for random ones. steps: with more than 0 it learns to tell `classes` surfaces apart, with a linear head on its
    features. Raises ValueError for what is out of range, and what `weights.load` raises.
    """
    if steps < 0 or size < 1:
        raise ValueError(f"settings.backbone_steps = {steps} and settings.backbone_size = {size} pixels; give 0 or "
                         "more steps, and at least a pixel")  # fmt: skip
    net = backbones.load(backbone, width=width)._replace(size=size)
    adam, count = optim.adam(rate), net.channels[-1]

    def init(key: jax.Array) -> Player:
        key = key if steps else jax.random.key(0)  # Frozen random features are the same for all runs: computed once.
        net_key, head_key = jax.random.split(key)
        variables = dict(weights.load(file, backbone) if file else backbones.init(net, net_key))
        params = {"net": variables.pop("params")}
        if steps:
            params["head"] = {"kernel": HEAD(head_key, (count, classes)), "bias": jnp.zeros(classes)}
        return Player(params, variables, adam.init(params) if steps else ())

    def features(player: Player, images: jax.Array) -> jax.Array:
        return backbones.features(net, {"params": player.params["net"], **player.batch_stats}, images)

    def batch_features(player: Player, batch: Batch) -> jax.Array:
        if batch.features is None:
            return features(player, batch.image)
        if batch.features.shape[1] != count:
            raise ValueError(f"features of {batch.features.shape[1]} numbers, but settings.backbone = {backbone!r} "
                             f"makes {count}; name the backbone they were made by")  # fmt: skip
        return batch.features

    def learn(player: Player, batch: Batch, counted: jax.Array) -> tuple[Player, jax.Array]:
        if batch.image is None:
            raise ValueError(f"settings.backbone_steps = {steps}, but the batch holds features; a backbone that trains "
                             "itself needs images: use 0 steps with cached features")  # fmt: skip

        def loss(params):
            variables = {"params": params["net"], **player.batch_stats}
            inputs = backbones.normalised(net, variables, batch.image)
            maps, stats = apply(net.net, params["net"], player.batch_stats["batch_stats"], inputs, train=True)
            logits = jnp.mean(maps[-1], (1, 2)) @ params["head"]["kernel"] + params["head"]["bias"]
            errors = optax.softmax_cross_entropy_with_integer_labels(logits, batch.surface)
            value = weighted_mean(errors, counted)
            return value, (player.batch_stats | {"batch_stats": stats}, value)

        return optim.update_player(adam, loss, player)

    def frozen(score: Callable[[State, jax.Array], Scores]) -> FrozenBackbone | None:
        name = f"{backbone} at {size} pixels"
        return None if steps else FrozenBackbone(name, lambda: init(jax.random.key(0)), features, score)

    return Extractor(init, features, batch_features, learn, frozen, count)
