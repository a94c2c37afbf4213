"""A residual (or other known) network that learns to tell good images from defective ones, or kinds of defect.

Transfer learning: a front end that was trained on ImageNet sees the image, and a linear head on the average of its
last map decides. A frozen front end leaves only the head to be learned, so that few images and minutes are enough; a
fine-tuned one, or one without weights, learns, too. As the head is linear, it may as well judge each place of the map
before the average: that is the class activation map, which shows what a decision rests on.

Supervised, but by labels alone: no outline of a defect is ever looked at.

Use it as soon as some dozens of images are sorted into good and defective: minutes to train on a pretrained
network.

Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016; the map is that of Zhou, Khosla,
Lapedriza, Oliva, Torralba, "Learning deep features for discriminative localization", CVPR 2016, Section 2. Classifiers
of defects with ResNets and pretrained front ends: Gong et al., "Application of deep learning in defect detection",
Journal of Physics: Conference Series 1684, 2020, Sections 3.1.4 and 4, a survey without values.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxdefect import backbones
from jaxdefect.backbones import Backbone, Variables, weights
from jaxdefect.backbones.trainable import HEAD
from jaxdefect.detector import Batch, Detector, Scores
from jaxdefect.maps.residuals import resize
from jaxdefect.networks import blocks
from jaxdefect.training import optim
from jaxdefect.training.optim import Player


class State(NamedTuple):
    network: Player  # what learns: the rest of the network, and the front end unless it is frozen
    front: Variables  # what does not: a frozen front end, or only how its images are normalised


def make(
    *,
    backbone: str,
    width: int,
    weights: str,
    frozen: bool,
    size: int,
    kinds: tuple[str, ...],
    learning_rate: float,
    decay: float,
    decay_every: int,
) -> Detector:
    """A classifier with a known network as its front end. Floats (learning_rate, decay) may be tracers.

    backbone: a name of `backbones.names()`; width: channels of the first map of `small`. weights: path of its file, ""
    to draw them at random. frozen: only the head learns, and normalisations use the averages that came with the
    weights. size, kinds, learning_rate, decay, decay_every: see `classifier`. Raises ValueError for what cannot be, and
    what `weights.load` raises.
    """
    front = front_end(backbone, width=width, size=size)
    return classifier(
        front, drawn(front, weights), frozen=frozen, kinds=kinds,
        learning_rate=learning_rate, decay=decay, decay_every=decay_every,
    )  # fmt: skip


def classifier(
    front: Backbone,
    draw: Callable[[jax.Array], Variables],
    *,
    frozen: bool,
    kinds: tuple[str, ...],
    learning_rate: float | jax.Array,
    decay: float | jax.Array,
    decay_every: int,
) -> Detector:
    """A linear head on the average of the front end's last map, trained by cross-entropy and Adam.

    Floats may be tracers. draw: key -> the front end's variables. kinds: names of the kinds of defect, in the order of
    Batch.kind, which counts them from 1; () for good and defective alone, from Batch.label. decay: the learning rate is
    multiplied by it after each `decay_every` steps; 1 leaves it.

    The score is the probability of not being good. The map holds, in the units of the logits, the log-odds of a defect
    at each place of the last map, enlarged: of good and defective alone their mean over those places is that of the
    image. Of the metrics, `accuracy` is the share of images whose class is the most likely one.
    """
    adam = falling_adam(learning_rate, decay, decay_every)
    shape = (front.channels[-1], 1 + max(len(kinds), 1))

    def init(key: jax.Array, batch: Batch) -> State:
        del batch  # All shapes come from the settings.
        first, second = jax.random.split(key)
        head = {"kernel": HEAD(second, shape), "bias": jnp.zeros(shape[1])}
        return started(adam, draw(first), {"params": {"head": head}}, frozen=frozen)

    def places(state: State, params: Any, images: jax.Array, *, train: bool) -> tuple[jax.Array, Any]:
        """(logits [B, h, w, classes] of each place of the last map, batch statistics)."""
        maps, stats = look(front, state, params, images, train=train)
        return maps[-1] @ params["head"]["kernel"] + params["head"]["bias"], stats

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.
        classes = classes_of(batch, kinds)

        def loss(params):
            local, stats = places(state, params, batch.image, train=True)
            logits = jnp.mean(local, (1, 2))
            value = jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, classes))
            right = jnp.mean(jnp.argmax(logits, -1) == classes)
            return value, (stats, {"loss": value, "accuracy": right})

        network, metrics = optim.update_player(adam, loss, state.network)
        return state._replace(network=network), metrics

    def score(state: State, images: jax.Array) -> Scores:
        local, _ = places(state, state.network.params, images, train=False)
        likely = jax.nn.softmax(jnp.mean(local, (1, 2)))
        odds = jax.nn.logsumexp(local[..., 1:], -1) - local[..., 0]
        found = resize(odds, *images.shape[1:3])
        return Scores(jnp.sum(likely[:, 1:], -1), found, kinds=likely if kinds else None)

    return Detector(init, step, score)


def classes_of(batch: Batch, kinds: tuple[str, ...]) -> jax.Array:
    """What the images of a batch are, int32 [B], 0 for good. Raises ValueError where it does not say."""
    field, labels = ("kind", "kinds") if kinds else ("label", "masks")
    classes = getattr(batch, field)
    if classes is None:
        raise ValueError(f"the batch has no {field}; with settings.kinds = {tuple(kinds)} a classifier learns from it: "
                         f"set train.supervision = {labels!r}")  # fmt: skip
    return classes


def falling_adam(
    learning_rate: float | jax.Array, decay: float | jax.Array, decay_every: int
) -> optax.GradientTransformation:
    """Adam, its learning rate multiplied by `decay` after each `decay_every` steps. Floats may be tracers.

    Raises ValueError for less than a step.
    """
    if decay_every < 1:
        raise ValueError(f"settings.decay_every = {decay_every} steps; give 1 or more, and settings.decay = 1.0 for a "
                         "learning rate that stays")  # fmt: skip
    return optim.adam(optim.step_decay(learning_rate, decay, decay_every))


def front_end(backbone: str, *, width: int, size: int) -> Backbone:
    """A backbone that looks at images of size x size pixels. Raises ValueError for one that cannot be."""
    if size < backbones.SIDE:
        raise ValueError(f"settings.size = {size} pixels; of images of less than {backbones.SIDE} a side some front "
                         "ends keep nothing: use more, such as 224")  # fmt: skip
    return backbones.load(backbone, width=width)._replace(size=size)


def drawn(front: Backbone, file: str) -> Callable[[jax.Array], Variables]:
    """key -> the variables of a backbone, from its file of weights or, without one, at random."""
    return lambda key: weights.load(file, front.name) if file else backbones.init(front, key)


def started(optimizer: optax.GradientTransformation, front: Variables, rest: dict, *, frozen: bool) -> State:
    """A front end, and the variables of what follows it, before the first update."""
    if frozen:
        return State(optim.init_player(optimizer, rest), front)
    learned = {kind: rest.get(kind, {}) | {"front": front[kind]} for kind in ("params", "batch_stats")}
    return State(optim.init_player(optimizer, learned), {"input": front["input"]})


def look(front: Backbone, state: State, params: Any, images: jax.Array, *, train: bool) -> tuple[Any, Any]:
    """(maps of the front end, its part of the network's batch statistics) of images [B, H, W, 1 or 3] in [0, 1].

    params: those of the network that learns, of which a frozen front end takes none: it has no gradient.
    """
    if "params" in state.front:
        return backbones.maps(front, state.front, images), {}
    inputs = backbones.normalised(front, state.front, images)
    known = state.network.batch_stats["front"]
    maps, stats = blocks.apply(front.net, params["front"], known, inputs, train=train)
    return maps, {"front": stats}
