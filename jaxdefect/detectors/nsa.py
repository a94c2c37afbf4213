"""NSA: a network learns to outline flaws made to order on normal images, and outlines real ones it has never seen.

Each step shows patches of normal images, some of them with a flaw; the network says of each pixel how much it was
changed. Real defects are unlike these flaws, but more like them than like normal surface.

Use it on textures and parts of which there are normal images alone: the sharpest masks without a pretrained network.

Source: Schlueter, Tan, Hou, Kainz, "Natural synthetic anomalies for self-supervised anomaly detection and
localization", ECCV 2022: an encoder-decoder, its flaws made by seamless blending (`train.corrupt=nsa`). The other
flaws, and the connections between encoder and decoder, are ours.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxdefect.detector import Batch, Detector, Scores
from jaxdefect.maps.residuals import box_filter, check_box, pad_to_multiple
from jaxdefect.networks.blocks import apply
from jaxdefect.networks.unet import UNet
from jaxdefect.training import optim
from jaxdefect.training.optim import Player


class State(NamedTuple):
    network: Player


def make(
    *,
    widths: Sequence[int],
    depth: int,
    skip: bool,
    learning_rate: float,
    final_rate: float,
    steps: int,
    box: int,
    top: float,
) -> Detector:
    """NSA. The learning rates may be tracers.

    widths, depth, skip: the network (see `UNet`). learning_rate, final_rate: of Adam, from the first to the last of the
    `steps` by a cosine. box: side of the mean filter over the map, pixels, odd. top: the share of an image's pixels,
    the worst ones, whose mean is its score; 1 for all, as published, which tells large flaws only.
    """
    check_box(box)
    if not widths or min(widths) < 1 or depth < 1:
        raise ValueError(f"settings.widths = {tuple(widths)}, settings.depth = {depth}; give the channels of each "
                         "scale, such as (16, 32, 64, 128), and at least one convolution")  # fmt: skip
    net = UNet(tuple(widths), 1, depth, skip)
    multiple = 2 ** (len(widths) - 1)
    adam = optim.adam(cosine(learning_rate, final_rate, steps))

    def init(key: jax.Array, batch: Batch) -> State:
        height, width = batch.image.shape[1:3]
        if height % multiple or width % multiple:
            raise ValueError(f"train.patch gives images of {height} x {width} pixels, which do not survive "
                             f"{len(widths) - 1} halvings: use a multiple of {multiple}")  # fmt: skip
        return State(optim.init_player(adam, net.init(key, batch.image, train=True)))

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        del key  # The feed has drawn the flaws.
        wanted = batch.mask if batch.severity is None else batch.severity
        if wanted is None:
            raise ValueError("the batch has no mask; nsa learns from flaws made to order: set train.supervision = "
                             "'simulated', or 'masks' for real ones")  # fmt: skip

        def loss(params):
            logits, stats = apply(net, params, state.network.batch_stats, centred(batch.image), train=True)
            value = jnp.mean(optax.sigmoid_binary_cross_entropy(logits[..., 0], wanted))
            return value, (stats, {"loss": value})

        network, metrics = optim.update_player(adam, loss, state.network)
        return State(network), metrics

    def score(state: State, images: jax.Array) -> Scores:
        padded = pad_to_multiple(images, multiple)
        logits, _ = apply(net, state.network.params, state.network.batch_stats, centred(padded), train=False)
        flawed = jax.nn.sigmoid(logits[:, : images.shape[1], : images.shape[2], 0])
        return Scores(worst(flawed, top), box_filter(flawed, box))

    return Detector(init, step, score)


def centred(images: jax.Array) -> jax.Array:
    """[0, 1] -> [-1, 1]."""
    return 2 * images - 1


def worst(maps: jax.Array, share: float) -> jax.Array:
    """[B, H, W] -> [B]: the mean over the `share` of the pixels that are worst."""
    flat = maps.reshape(len(maps), -1)
    return jnp.mean(jax.lax.top_k(flat, max(1, round(share * flat.shape[1])))[0], 1)


def cosine(first: float | jax.Array, last: float | jax.Array, steps: int) -> optax.Schedule:
    """A rate that falls from `first` to `last` over so many steps by half a cosine. The rates may be tracers."""
    return lambda count: last + (first - last) * 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(count / steps, 1)))
