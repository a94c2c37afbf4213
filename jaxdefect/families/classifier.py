"""Classifiers of whole images: a linear head on the average of a front end's last map.

As the head is linear, it may as well judge each place of the map before the average: that is the class activation map,
which shows what a decision rests on.

Source: Zhou, Khosla, Lapedriza, Oliva, Torralba, "Learning deep features for discriminative localization", CVPR 2016,
Section 2.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxdefect.backbones import Backbone, Variables
from jaxdefect.backbones.front_end import State, first_state, front_maps
from jaxdefect.backbones.trainable import HEAD
from jaxdefect.detector import Batch, Detector, Scores
from jaxdefect.maps.residuals import resize
from jaxdefect.training import optim
from jaxdefect.training.optim import decaying_adam


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
    """A detector that learns by cross-entropy whether an image is good, or which kind of defect it has.

    draw: key -> the front end's variables. frozen: only the head learns. kinds: names of the kinds of defect, in the
    order of Batch.kind, which counts them from 1; () for good and defective alone, from Batch.label. learning_rate,
    decay, decay_every: see `decaying_adam`; floats may be tracers.

    The score is the probability of not being good. The map holds the log-odds of a defect at each place of the last
    map, enlarged; with good and defective alone, their mean over those places is the log-odds of the image. Of the
    metrics, `accuracy` is the share of images whose most likely class is the right one.
    """
    adam = decaying_adam(learning_rate, decay, decay_every)
    shape = (front.channels[-1], 1 + max(len(kinds), 1))

    def init(key: jax.Array, batch: Batch) -> State:
        del batch  # All shapes come from the settings.
        front_key, head_key = jax.random.split(key)
        head = {"kernel": HEAD(head_key, shape), "bias": jnp.zeros(shape[1])}
        return first_state(adam, draw(front_key), {"params": {"head": head}}, frozen=frozen)

    def local_logits(state: State, params: Any, images: jax.Array, *, train: bool) -> tuple[jax.Array, Any]:
        """(logits [B, h, w, classes] of each place of the last map, batch statistics)."""
        maps, stats = front_maps(front, state, params, images, train=train)
        return maps[-1] @ params["head"]["kernel"] + params["head"]["bias"], stats

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.
        classes = classes_of(batch, kinds)

        def loss(params):
            local, stats = local_logits(state, params, batch.image, train=True)
            logits = jnp.mean(local, (1, 2))
            value = jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, classes))
            accuracy = jnp.mean(jnp.argmax(logits, -1) == classes)
            return value, (stats, {"loss": value, "accuracy": accuracy})

        network, metrics = optim.update_player(adam, loss, state.network)
        return state._replace(network=network), metrics

    def score(state: State, images: jax.Array) -> Scores:
        local, _ = local_logits(state, state.network.params, images, train=False)
        probabilities = jax.nn.softmax(jnp.mean(local, (1, 2)))
        log_odds = jax.nn.logsumexp(local[..., 1:], -1) - local[..., 0]
        return Scores(
            jnp.sum(probabilities[:, 1:], -1), resize(log_odds, *images.shape[1:3]),
            kinds=probabilities if kinds else None,
        )  # fmt: skip

    return Detector(init, step, score)


def classes_of(batch: Batch, kinds: tuple[str, ...]) -> jax.Array:
    """What the images of a batch are, int32 [B], 0 for good. Raises ValueError where the batch does not say it."""
    field, supervision = ("kind", "kinds") if kinds else ("label", "masks")
    classes = getattr(batch, field)
    if classes is None:
        raise ValueError(f"the batch has no {field}; with data.kinds = {tuple(kinds)} a classifier learns from it: "
                         f"set train.supervision = {supervision!r}")  # fmt: skip
    return classes
