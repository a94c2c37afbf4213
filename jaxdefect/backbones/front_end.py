"""A backbone as the front end of a network that learns: frozen, or fine-tuned with what follows it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from jaxdefect import backbones
from jaxdefect.backbones import Backbone, Variables, weights
from jaxdefect.networks import blocks
from jaxdefect.training import optim
from jaxdefect.training.optim import Player


class State(NamedTuple):
    network: Player  # what learns: the rest of the network, and the front end unless it is frozen
    front: Variables  # what does not: a frozen front end, or only how its images are normalised


def front_end(backbone: str, *, width: int, size: int) -> Backbone:
    """A backbone that sees images of size x size pixels. width: channels of the first map of `small`.

    Raises ValueError for a size that is too small, and what `backbones.load` raises.
    """
    if size < backbones.SIDE:
        raise ValueError(f"settings.size = {size} pixels; of images of less than {backbones.SIDE} a side some front "
                         "ends keep nothing: use more, such as 224")  # fmt: skip
    return backbones.load(backbone, width=width)._replace(size=size)


def loaded_or_drawn(front: Backbone, file: str) -> Callable[[jax.Array], Variables]:
    """key -> the variables of a backbone, from a file of weights or, where its name is empty, at random."""
    return lambda key: weights.load(file, front.name) if file else backbones.init(front, key)


def first_state(optimizer: optax.GradientTransformation, front: Variables, rest: dict, *, frozen: bool) -> State:
    """The state before the first update. front: variables of the front end; rest: of what follows it."""
    if frozen:
        return State(optim.init_player(optimizer, rest), front)
    learned = {kind: rest.get(kind, {}) | {"front": front[kind]} for kind in ("params", "batch_stats")}
    return State(optim.init_player(optimizer, learned), {"input": front["input"]})


def front_maps(front: Backbone, state: State, params: Any, images: jax.Array, *, train: bool) -> tuple[Any, Any]:
    """(maps of the front end, its part of the network's batch statistics) of images [B, H, W, 1 or 3] in [0, 1].

    params: those of the network that learns. A frozen front end has none among them, and so no gradient.
    """
    if "params" in state.front:
        return backbones.maps(front, state.front, images), {}
    inputs = backbones.normalised(front, state.front, images)
    batch_stats = state.network.batch_stats["front"]
    maps, stats = blocks.apply(front.net, params["front"], batch_stats, inputs, train=train)
    return maps, {"front": stats}
