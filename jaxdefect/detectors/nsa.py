"""NSA: a network learns to outline flaws made to order on normal images, and outlines real ones it has never seen.

Each step shows patches of normal images, some of them with a flaw; the network says of each pixel how much it was
changed. Real defects are unlike these flaws, but more like them than like normal surface.

Use it first on textures of which there are normal images alone; where they differ much, as tiles do, preset half finds
more.

Source: Schlueter, Tan, Hou, Kainz, "Natural synthetic anomalies for self-supervised anomaly detection and
localization", ECCV 2022: an encoder-decoder, its flaws made by seamless blending (`train.corrupt=nsa`). The other
flaws, and the connections between encoder and decoder, are ours.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxdefect.detector import Batch, Detector, Scores
from jaxdefect.maps.residuals import box_filter, check_box, pad_to_multiple
from jaxdefect.networks.blocks import apply
from jaxdefect.networks.convolution import block, unblock
from jaxdefect.networks.unet import UNet
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

TARGETS = ("mask", "severity")
VIEWS = ((), (2,), (1,), (1, 2))  # axes of [B, H, W, C] along which an image is mirrored
FLAT = 0.02  # the least deviation that contrast is measured by, of pixels in [0, 1]


class Net(nn.Module):
    """[B, H, W, C] in [0, 1] -> [B, H, W]: logits of pixels being flawed, of any size."""

    widths: tuple[int, ...]
    depth: int
    skip: bool
    blocks: bool
    window: int

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        height, width = images.shape[1:3]
        seen = local_contrast(images, self.window) if self.window else images - 0.5
        unet = UNet(self.widths, 4 if self.blocks else 1, self.depth, self.skip)
        if not self.blocks:
            return unet(seen, train=train)[..., 0]
        return unblock(unet(block(pad_to_multiple(seen, 2)), train=train))[:, :height, :width, 0]


def local_contrast(images: jax.Array, window: int) -> jax.Array:
    """[B, H, W, C] less its mean over window x window pixels (odd), in deviations there: light that differs from image
    to image, or from place to place, is gone. The border is mirrored.
    """
    apart = images - box_filter(images, window)
    return apart / jnp.sqrt(box_filter(jnp.square(apart), window) + FLAT**2)


def make(
    *,
    widths: Sequence[int],
    depth: int,
    skip: bool,
    blocks: bool,
    window: int,
    target: str,
    weight: float,
    learning_rate: float,
    final_rate: float,
    clip: float,
    steps: int,
    box: int,
    one_of: int,
    margin: int,
    frame: int,
    views: int,
) -> Detector:
    """NSA. Floats (weight, the learning rates, clip) may be tracers. The state is a Player.

    widths, depth, skip: the network (see `UNet`). blocks: it sees blocks of 2 x 2 pixels and answers for each pixel of
    one: at equal cost it is twice as wide and sees twice as far. window: it sees the local contrast of so many pixels a
    side (odd) in place of grey levels; 0: grey levels. target: what it learns to say of a pixel, mask (whether it was
    changed) or severity (how much, as published). weight: of a flawed pixel's error, beside 1 of a good one's; there
    are few of them. learning_rate, final_rate: of Adam, from the first to the last of the `steps` by a cosine. clip:
    the norm that greater gradients are scaled down to. box: side of the mean filter over the map, pixels, odd. one_of:
    an image scores as the mean of its map's worst pixels, one of so many; 1 for all, as published, which tells large
    flaws only. margin: pixels by which an image is mirrored all around before it is scored: where an image ends, the
    network was shown mirrored ones, and zeros beyond them look like a flaw. frame: pixels nearer to the border than
    that have no part in an image's score: of what ends there half is seen. views: 1, 2 or 4; the map is the mean over
    the image, the same mirrored, and both upside down (test-time augmentation): time and memory grow with it.
    """
    check_box(box)
    if not widths or min(widths) < 1 or depth < 1:
        raise ValueError(f"settings.widths = {tuple(widths)}, settings.depth = {depth}; give the channels of each "
                         "scale, such as (16, 32, 64, 128), and at least one convolution")  # fmt: skip
    if window and (window < 3 or window % 2 == 0):
        raise ValueError(f"settings.window = {window}; give an odd number of pixels from 3, such as 31; 0 for none")
    if margin < 0 or frame < 0:
        raise ValueError(f"settings.margin = {margin}, settings.frame = {frame}; give pixels, 0 for none")
    if one_of < 1:
        raise ValueError(f"settings.one_of = {one_of}; give how many pixels there are for each that is looked at, such "
                         "as 500; 1 for all")  # fmt: skip
    if views not in (1, 2, 4):
        raise ValueError(f"settings.views = {views}; give 1, 2 (also mirrored) or 4 (and both upside down)")
    if target not in TARGETS:
        raise ValueError(f"settings.target = {target!r} is not known; use {' or '.join(TARGETS)}")
    net = Net(tuple(widths), depth, skip, blocks, window)
    adam = optim.adam(cosine(learning_rate, final_rate, steps), clip=clip)

    def init(key: jax.Array, batch: Batch) -> Player:
        return optim.init_player(adam, net.init(key, batch.image, train=True))

    def step(state: Player, batch: Batch, key: jax.Array) -> tuple[Player, dict[str, jax.Array]]:
        del key  # The feed has drawn the flaws.
        wanted, has_mask = _supervision(batch, target)

        def loss(params):
            logits, stats = apply(net, params, state.batch_stats, batch.image, train=True)
            weights = 1 + (weight - 1) * wanted
            errors = weights * optax.sigmoid_binary_cross_entropy(logits, wanted)
            value = jnp.mean(has_mask * jnp.mean(errors, (1, 2)))
            return value, (stats, {"loss": value})

        return optim.update_player(adam, loss, state)

    def score(state: Player, images: jax.Array) -> Scores:
        height, width = images.shape[1:3]
        around = jnp.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)), "symmetric")
        seen = jnp.concatenate([jnp.flip(around, axes) for axes in VIEWS[:views]])  # One program of the network.
        logits, _ = apply(net, state.params, state.batch_stats, seen, train=False)
        maps = jnp.split(nn.sigmoid(logits), views)
        mean = sum(jnp.flip(view, axes) for view, axes in zip(maps, VIEWS[:views], strict=True)) / views
        anomaly_map = box_filter(mean, box)[:, margin : margin + height, margin : margin + width]
        return Scores(image_score(state, anomaly_map, jnp.array([height, width])), anomaly_map)

    def image_score(state: Player, maps: jax.Array, size: jax.Array) -> jax.Array:
        del state  # Maps are probabilities.
        return worst(maps, one_of, size=size, frame=frame)

    return Detector(init, step, score, image_score=image_score)


def _supervision(batch: Batch, target: str) -> tuple[jax.Array, jax.Array]:
    """What is to be said of each pixel, and [B] float32, 0 for each image of which that is not known."""
    wanted = batch.mask if target == "mask" or batch.severity is None else batch.severity
    if wanted is None:
        raise ValueError("the batch has no mask; nsa learns from flaws made to order: set train.supervision = "
                         "'simulated', or 'masks' for real ones")  # fmt: skip
    return wanted, jnp.ones(len(wanted)) if batch.has_mask is None else batch.has_mask


def worst(maps: jax.Array, one_of: int, *, size: jax.Array, frame: int) -> jax.Array:
    """[B, H, W] -> [B]: the mean of the worst pixels, one of so many, and one at least.

    size: int [2], how many of the first rows and columns count; frame: less so many pixels at each border, or as many
    as leave one.
    """
    border = jnp.minimum(frame, (size - 1) // 2)
    row, column = (
        (place >= least) & (place < side - least)
        for place, least, side in zip(map(jnp.arange, maps.shape[1:]), border, size, strict=True)
    )
    inside = jnp.where(row[:, None] & column, maps, -jnp.inf).reshape(len(maps), -1)
    ranked, _ = jax.lax.top_k(inside, max(1, inside.shape[1] // one_of))
    count = jnp.maximum(1, jnp.sum(row) * jnp.sum(column) // one_of)
    return jnp.sum(jnp.where(jnp.arange(ranked.shape[1]) < count, ranked, 0), 1) / count


def cosine(first: float | jax.Array, last: float | jax.Array, steps: int) -> optax.Schedule:
    """A rate that falls from `first` to `last` over so many steps by half a cosine. The rates may be tracers."""
    return lambda count: last + (first - last) * 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(count / steps, 1)))
