"""Seg-Dec-Net: a segmentation of the defects, and beside it a decision whether there is one.

Two networks trained together in one run: the first outlines defects at an eighth of the image's size, the second
judges the image by what the first has seen. Images of which only the label is known train the second alone. The
weight of the first fades while that of the second grows, for there is nothing to decide on before there is something to
see. Supervised: batches carry masks and labels.

Use it as soon as some dozens of defects are outlined, or only labelled: nothing trained on normal images comes
near.

Source: Bozic, Tabernik, Skocaj, "Mixed supervision for surface-defect detection: from weakly to fully supervised
learning", Computers in Industry 129, 2021, and its public code, which is followed where both differ.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxdefect.detector import Batch, Detector, Scores
from jaxdefect.maps import morphology
from jaxdefect.maps.residuals import window_sum
from jaxdefect.networks.blocks import Conv
from jaxdefect.networks.convolution import conv, max_pool_odd
from jaxdefect.networks.fft_convolution import large_conv
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

STRIDE = 8  # pixels of a side of the image for each of the segmentation
WINDOW = 2 * STRIDE + 1  # pixels a side of which each pixel of a mask at that size is the mean
EPSILON = 1e-3
XAVIER = nn.initializers.variance_scaling(1.0, "fan_avg", "normal")
NORMS = ("repo", "unit_var")


class FeatureNorm(nn.Module):
    """Normalises each channel of each image by itself: [B, H, W, C] -> the same.

    mode "repo" is the public code: it divides by the square root of the standard deviation, so that a channel of little
    contrast stays one. "unit_var" divides by the standard deviation, as the paper says.
    """

    mode: str
    bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1:]
        centred = x - jnp.mean(x, (1, 2), keepdims=True)
        degrees = max(x.shape[1] * x.shape[2] - 1, 1)
        variance = jnp.sum(jnp.square(centred), (1, 2), keepdims=True) / degrees
        flat = variance == 0  # The square root has no finite slope there.
        divisor = EPSILON + jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, variance)))
        y = self.param("scale", nn.initializers.ones, channels) * (
            centred / (jnp.sqrt(divisor) if self.mode == "repo" else divisor)
        )
        return y + self.param("bias", nn.initializers.zeros, channels) if self.bias else y


class Block(nn.Module):
    """Convolution with zeros around and no bias, FeatureNorm, ReLU: [B, H, W, C] -> [B, H, W, features]."""

    features: int
    size: int  # pixels
    norm_mode: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", XAVIER, (self.size, self.size, x.shape[-1], self.features))
        y = conv(x, kernel) if self.size <= 5 else large_conv(x, kernel)
        return nn.relu(FeatureNorm(self.norm_mode)(y))


class Segmentation(nn.Module):
    """[B, H, W, C] in [0, 1] -> (features [B, H/8, W/8, widths[3]], logits [B, H/8, W/8, 1])."""

    widths: tuple[int, int, int, int]
    norm_mode: str
    map_bias: bool

    @nn.compact
    def __call__(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = images
        for width, blocks in zip(self.widths[:3], (1, 3, 4), strict=True):
            for _ in range(blocks):
                x = Block(width, 5, self.norm_mode)(x)
            x = max_pool_odd(x)
        x = Block(self.widths[3], 15, self.norm_mode)(x)
        logits = Conv(1, 1, 1, 0, XAVIER, bias=False)(x)
        return x, FeatureNorm(self.norm_mode, self.map_bias)(logits)


class Decision(nn.Module):
    """(features, logits) of the segmentation -> [B] logits of the image being defective."""

    widths: tuple[int, int, int]
    norm_mode: str

    @nn.compact
    def __call__(self, features: jax.Array, logits: jax.Array) -> jax.Array:
        x = jnp.concatenate([features, logits], -1)
        for width in self.widths:
            x = Block(width, 5, self.norm_mode)(max_pool_odd(x))
        pooled = [reduce(y, (1, 2)) for y in (x, logits) for reduce in (jnp.max, jnp.mean)]
        return nn.Dense(1, kernel_init=XAVIER)(jnp.concatenate(pooled, -1))[:, 0]


class SegDecNet(nn.Module):
    """[B, H, W, C] in [0, 1] -> ([B] logits of the decision, [B, H/8, W/8] logits of the segmentation)."""

    widths: tuple[int, int, int, int]
    decision: tuple[int, int, int]
    norm_mode: str
    gradient_stop: bool
    map_bias: bool

    @nn.compact
    def __call__(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        features, logits = Segmentation(self.widths, self.norm_mode, self.map_bias, name="segmentation")(images)
        basis = lax.stop_gradient((features, logits)) if self.gradient_stop else (features, logits)
        return Decision(self.decision, self.norm_mode, name="decision")(*basis), logits[..., 0]


def downsized(maps: jax.Array) -> jax.Array:
    """[B, H, W] -> [B, ceil(H/8), ceil(W/8)]: means of 17 x 17 pixels about every eighth; the border is reflected."""
    padded = jnp.pad(maps, ((0, 0), (STRIDE, STRIDE), (STRIDE, STRIDE)), "reflect")
    rows = window_sum(padded, WINDOW, 1)[:, ::STRIDE]
    return window_sum(rows, WINDOW, 2)[:, :, ::STRIDE] / WINDOW**2


def targets(
    masks: jax.Array, *, dilate: int, w_pos: float | jax.Array, p: float | jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The segmentation's targets, and how much each of their pixels weighs: each [B, ceil(H/8), ceil(W/8)].

    Outlines are drawn by hand: a pixel counts the more, the deeper it lies in the defect. masks [B, H, W], 1 on
    defects, widened to dilate x dilate pixels about each first. Source: the paper's weights of positive pixels.
    """
    masks = morphology.dilate(masks, dilate)
    weights = jnp.where(masks > 0, w_pos * morphology.normalised_depth(masks) ** p, 1.0)
    return downsized(masks), downsized(weights)


def enlarged(maps: jax.Array, height: int, width: int) -> jax.Array:
    """[B, h, w] -> [B, height, width], bilinear.

    Each value goes back to the middle of the 17 x 17 pixels it was trained on, every eighth pixel from the first on. A
    plain resizing, as in the public code, puts it 3.5 pixels further right and down: on thin synthetic defects, whose
    pixels were found with AP 0.31, that made it 0.17.
    """
    return jnp.einsum(
        "yi,bij,xj->byx", *(_interpolation(height, maps.shape[1]), maps, _interpolation(width, maps.shape[2]))
    )


def _interpolation(length: int, count: int) -> jax.Array:
    """[length, count]: how much each pixel takes of each of `count` values, which are 8 pixels apart."""
    place = jnp.minimum(jnp.arange(length) / STRIDE, count - 1)
    return jnp.maximum(1 - jnp.abs(place[:, None] - jnp.arange(count)), 0)


class State(NamedTuple):
    network: Player
    step: jax.Array  # taken so far, int32: the balance of both losses depends on it


def make(
    *,
    widths: tuple[int, int, int, int],
    decision: tuple[int, int, int],
    norm_mode: str,
    gradient_stop: bool,
    map_bias: bool,
    balance: bool,
    steps: int,
    delta: float,
    dilate: int,
    w_pos: float,
    p: float,
    learning_rate: float,
) -> Detector:
    """Seg-Dec-Net. Floats (delta, w_pos, p, learning_rate) may be tracers.

    widths: channels of the segmentation's first layer, of the 3 after it, of the next 4 and of its features (32, 64,
    64, 1024). decision: channels of the decision's layers (8, 16, 32). norm_mode: see FeatureNorm. gradient_stop: what
    the decision learns does not change the segmentation. map_bias: the map's logits have a bias; without it they are 0
    on average in every image, so that a good image costs log 2 at least. The paper describes none; in its code there is
    one that was meant to stay 0 and learns all the same. balance: the segmentation's loss weighs lam = 1 - step / steps
    and the decision's delta * (1 - lam), else 1 and delta. steps: of the whole training. dilate: pixels a side by which
    masks are widened, odd. w_pos: weight of a defect's deepest pixel, beside 1 of a good pixel; p: the power of the
    depth that others weigh. learning_rate: of plain gradient descent.

    A batch's gradient is the mean over its images. The public code, which trains on one image at a time nearly
    everywhere, adds them up: a rate there for batches of b images is b times as large here.
    Of the metrics, `loss` is the mean of both losses without their weights, which change while it trains;
    `segmentation` counts the images without an outline as 0.
    Of images under 128 pixels a side the decision's last layer sees one pixel, which FeatureNorm makes constant: only
    the segmentation's logits are then decided on.
    """
    _check(widths=widths, decision=decision, norm_mode=norm_mode, steps=steps, dilate=dilate)
    net = SegDecNet(tuple(widths), tuple(decision), norm_mode, gradient_stop, map_bias)
    sgd = optim.sgd(learning_rate)

    def init(key: jax.Array, batch: Batch) -> State:
        return State(optim.init_player(sgd, net.init(key, batch.image)), jnp.zeros((), jnp.int32))

    def shares(step: jax.Array) -> tuple[jax.Array | float, jax.Array | float]:
        """What the losses of segmentation and decision weigh."""
        lam = jnp.maximum(1 - step / steps, 0)
        return (lam, delta * (1 - lam)) if balance else (1.0, delta)

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.
        masks, has_mask = _supervision(batch)
        masks, weights = targets(masks, dilate=dilate, w_pos=w_pos, p=p)
        seg_share, cls_share = shares(state.step)

        def loss(params):
            decided, logits = net.apply({"params": params}, batch.image)
            _, rows, columns = logits.shape
            pixels = optax.sigmoid_binary_cross_entropy(logits, masks[:, :rows, :columns])
            segmentation = jnp.mean(has_mask * jnp.mean(weights[:, :rows, :columns] * pixels, (1, 2)))
            classification = jnp.mean(optax.sigmoid_binary_cross_entropy(decided, batch.label.astype(jnp.float32)))
            both = {"segmentation": segmentation, "classification": classification}
            metrics = {"loss": (segmentation + classification) / 2} | both
            return seg_share * segmentation + cls_share * classification, ({}, metrics)

        network, metrics = optim.update_player(sgd, loss, state.network)
        return State(network, state.step + 1), metrics

    def score(state: State, images: jax.Array) -> Scores:
        decided, logits = net.apply({"params": state.network.params}, images)
        return Scores(nn.sigmoid(decided), enlarged(nn.sigmoid(logits), *images.shape[1:3]))

    return Detector(init, step, score)


def _supervision(batch: Batch) -> tuple[jax.Array, jax.Array]:
    """The masks, zeros where there is none, and [B] float32, 0 for each image whose mask is missing."""
    for field in ("mask", "label"):
        if getattr(batch, field) is None:
            raise ValueError(f"the batch has no {field}; segdec learns from defects: set train.supervision = 'masks'")
    has_mask = jnp.ones(batch.label.shape) if batch.has_mask is None else batch.has_mask
    has_mask = jnp.where(batch.label == 1, has_mask, 1.0)  # Of a good image it is all zeros.
    return batch.mask * has_mask[:, None, None], has_mask


def _check(*, widths: tuple, decision: tuple, norm_mode: str, steps: int, dilate: int) -> None:
    for field, value, count in (("widths", widths, 4), ("decision", decision, 3)):
        if len(value) != count or min(value) < 1:
            usual = {4: "(32, 64, 64, 1024)", 3: "(8, 16, 32)"}[count]
            raise ValueError(f"settings.{field} = {value}; give {count} numbers of channels, such as {usual}")
    if norm_mode not in NORMS:
        raise ValueError(f"settings.norm_mode = {norm_mode!r}; there are: {', '.join(NORMS)}")
    if steps < 1:
        raise ValueError(f"train.steps = {steps}; the losses are balanced over the whole training: give 1 or more")
    if dilate < 1 or dilate % 2 == 0:
        raise ValueError(f"settings.dilate = {dilate}; masks are widened by an odd number of pixels, such as 7; 1 for "
                         "as they are")  # fmt: skip
