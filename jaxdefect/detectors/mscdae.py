"""MSCDAE: one convolutional denoising autoencoder per level of a Gaussian pyramid, on images freed of illumination.

Each learns to reconstruct small patches of normal images from noisy copies. A pixel is defective if two neighbouring
levels cannot reconstruct its surroundings: a defect is seen at more than one scale, chance is not.

Use it on fine fabrics, and not where time matters.

Source: Mei, Wang, Wen, "Automatic Fabric Defect Detection with a Multi-Scale Convolutional Denoising Autoencoder
Network Model", Sensors 18, 2018; Mei, Yang, Yin, "An Unsupervised-Learning-Based Approach for Automated Defect
Inspection on Textured Surfaces", IEEE Transactions on Instrumentation and Measurement 67, 2018; a baseline of ReNet-D,
Table 6. Our readings: the widths, and strides of 2 in place of poolings; residuals, not masks, are brought
to the image's size.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxdefect import parallel
from jaxdefect.detector import Batch, Detector, Scores
from jaxdefect.losses.reconstruction import frobenius_norm
from jaxdefect.maps.residuals import box_filter, resize
from jaxdefect.networks.blocks import Conv, Deconv
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

PATCH = 8  # pixels a side
AT_ONCE = 8192  # patches reconstructed at a time: 32 MB of the widest features
BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / 16  # Burt and Adelson 1983


class Autoencoder(nn.Module):
    """[B, 8, 8, 1] -> the same, through 4 x 4, 2 x 2 and 1 x 1 pixels; the last layer is linear."""

    widths: Sequence[int]  # channels of the three layers of the encoder; the decoder mirrors them

    @nn.compact
    def __call__(self, patches: jax.Array) -> jax.Array:
        init = nn.initializers.he_normal()
        x = patches
        for width in self.widths:
            x = nn.relu(Conv(width, 3, init=init)(x))
        for width in self.widths[-2::-1]:
            x = nn.relu(Deconv(width, 3, init=init)(x))
        return Deconv(1, 3, init=init)(x)


class State(NamedTuple):
    """A network for each level, and sums over normal images, each counting as one whatever its size."""

    levels: tuple[Player, ...]
    images: jax.Array  # []
    mean: jax.Array  # [levels] sum over images of the mean residual
    square: jax.Array  # [levels] likewise, of squared residuals


def make(
    *,
    levels: int,
    widths: Sequence[int],
    patches: int,
    noise: float,
    penalty: float,
    learning_rate: float,
    stride: int,
    opening: int,
) -> Detector:
    """MSCDAE. Floats may be tracers.

    levels: of the pyramid (3); the image itself is the first. widths: channels of the three layers (16, 32, 64).
    patches: drawn from each training image at each level. noise: share of a patch's pixels that salt and pepper
    replace. penalty: of the Frobenius norm of the kernels. stride: pixels between patches when scoring, at each level;
    1 is a patch around every pixel. opening: side of the square defects must contain, pixels; 1 for any.

    The map is in standard deviations of normal residuals: at 2 it gives the published masks.
    """
    _check(levels=levels, widths=widths, patches=patches, stride=stride, opening=opening)
    net, optimizer = Autoencoder(tuple(widths)), optim.adam(learning_rate)

    def init(key: jax.Array, batch: Batch) -> State:
        height, width = batch.image.shape[1:3]
        if min(height, width) < PATCH << (levels - 1):
            raise ValueError(f"training images are {height} x {width} pixels (train.patch); {levels} levels of a "
                             f"pyramid (settings.levels) need at least {PATCH << (levels - 1)}: use larger images "
                             "or fewer levels")  # fmt: skip
        example = jnp.zeros((1, PATCH, PATCH, 1))
        players = tuple(optim.init_player(optimizer, net.init(key, example)) for key in jax.random.split(key, levels))
        return State(players, jnp.zeros(()), jnp.zeros(levels), jnp.zeros(levels))

    def improved(player: Player, clean: jax.Array, noisy: jax.Array) -> tuple[Player, jax.Array]:
        def loss(params):
            residual = jnp.sum(jnp.square(net.apply({"params": params}, noisy) - clean), (1, 2, 3))
            return jnp.mean(residual) / 2 + penalty * frobenius_norm(params), ({}, jnp.mean(residual) / PATCH**2)

        return optim.update_player(optimizer, loss, player)

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        scales, clean_scales = (pyramid(illumination_free(x), levels) for x in (batch.image, batch.clean))
        players, losses = [], {}
        pairs_of = jax.vmap(functools.partial(training_pairs, count=patches, noise=noise))
        for level, (player, images, wanted, level_key) in enumerate(
            zip(state.levels, scales, clean_scales, jax.random.split(key, levels), strict=True)
        ):
            clean, noisy = pairs_of(images, wanted, parallel.sample_keys(level_key, len(images)))
            flat = lambda x: x.reshape(-1, PATCH, PATCH, 1)
            player, losses[f"level{level}"] = improved(player, flat(clean), flat(noisy))
            players.append(player)
        return state._replace(levels=tuple(players)), {"loss": sum(losses.values()) / levels} | losses

    def residuals(state: State, images: jax.Array) -> list[jax.Array]:
        scales = pyramid(illumination_free(images), levels)
        reconstruct = lambda player: lambda patches: net.apply({"params": player.params}, patches)
        return [
            patch_residuals(reconstruct(player), images, stride=stride)
            for player, images in zip(state.levels, scales, strict=True)
        ]

    def calibrate(state: State, images: jax.Array) -> State:
        maps = residuals(state, images)
        total = lambda power: jnp.stack([jnp.sum(jnp.mean(x**power, (1, 2))) for x in maps])
        return state._replace(
            images=state.images + len(images), mean=state.mean + total(1), square=state.square + total(2)
        )

    def score(state: State, images: jax.Array) -> Scores:
        height, width = images.shape[1:3]
        mean, deviation = usual(state)
        standardised = [(x - m) / d for x, m, d in zip(residuals(state, images), mean, deviation, strict=True)]
        fused = opened(fuse([resize(x, height, width) for x in standardised]), opening)
        return Scores(jnp.max(fused, (1, 2)), fused)

    return Detector(init, step, score, calibrate)


def usual(state: State) -> tuple[jax.Array, jax.Array]:
    """Mean and standard deviation of normal residuals at each level; 0 and 1 before the first image."""
    count = jnp.maximum(state.images, 1)
    mean = state.mean / count
    variance = jnp.maximum(state.square / count - jnp.square(mean), 1e-12)
    return mean, jnp.where(state.images > 0, jnp.sqrt(variance), 1)


def illumination_free(images: jax.Array) -> jax.Array:
    """Differential excitation of Weber's local descriptor: images [B, H, W, C] in [0, 1] -> [B, H, W, 1].

    arctan of the sum over the 8 neighbours of (I - neighbour) / I, in (-pi/2, pi/2): light that varies slowly cancels.
    Grey, no darker than one grey level; the border is mirrored.
    """
    grey = jnp.maximum(jnp.mean(images, -1), 1 / 255)
    around = box_filter(grey, 3) * 9 - grey
    return jnp.arctan(8 - around / grey)[..., None]


def pyramid(images: jax.Array, levels: int) -> list[jax.Array]:
    """Gaussian pyramid of [B, H, W, C]: each level is every second pixel of the smoothed level before."""
    scales = [images]
    for _ in range(levels - 1):
        height, width = scales[-1].shape[1:3]
        x = jnp.pad(scales[-1], ((0, 0), (2, 2), (2, 2), (0, 0)), "symmetric")
        x = sum(tap * x[:, i : i + height : 2] for i, tap in enumerate(BINOMIAL))
        scales.append(sum(tap * x[:, :, i : i + width : 2] for i, tap in enumerate(BINOMIAL)))
    return scales


def training_pairs(
    image: jax.Array, clean_image: jax.Array, key: jax.Array, *, count: int, noise: float | jax.Array
) -> tuple[jax.Array, jax.Array]:
    """(clean, noisy) patches [count, 8, 8, 1] from the same places of two images [H, W, 1] in [-pi/2, pi/2]: the one
    before it was given flaws, and the one with them, to which noise is added."""
    where, whether, which = jax.random.split(key, 3)
    corners = jax.random.randint(where, (count, 2), 0, jnp.array(image.shape[:2]) - PATCH + 1)
    cut = lambda image: jax.vmap(lambda corner: lax.dynamic_slice(image, (*corner, 0), (PATCH, PATCH, 1)))(corners)
    clean, shown = cut(clean_image), cut(image)
    extreme = jnp.where(jax.random.bernoulli(which, 0.5, clean.shape), jnp.pi / 2, -jnp.pi / 2)
    return clean, jnp.where(jax.random.uniform(whether, clean.shape) < noise, extreme, shown)


def patch_residuals(reconstruct: Callable[[jax.Array], jax.Array], images: jax.Array, *, stride: int) -> jax.Array:
    """Mean squared residual of the patch around every `stride`-th pixel: [B, H, W, 1] -> [B, H / stride, W / stride].

    reconstruct: [N, 8, 8, 1] -> the same. A patch's middle lies between four pixels; it is assigned to the lower right
    one. At the border the nearest patch that lies inside counts, for no mirrored patch was learned from. Images smaller
    than a patch are mirrored. At most about AT_ONCE patches are reconstructed at a time.
    """
    batch, height, width, _ = images.shape
    missing = [(0, max(PATCH - side, 0)) for side in (height, width)]
    inside = jnp.pad(images[..., 0], ((0, 0), *missing), "symmetric")
    down, across = (
        np.clip(np.arange(0, side, stride) + stride // 2 - PATCH // 2, 0, max(side - PATCH, 0))
        for side in (height, width)
    )

    def row(top: jax.Array) -> jax.Array:
        strip = lax.dynamic_slice_in_dim(inside, top, PATCH, 1)
        patches = strip[:, :, across[:, None] + np.arange(PATCH)].transpose(0, 2, 1, 3).reshape(-1, PATCH, PATCH, 1)
        squared = jnp.mean(jnp.square(reconstruct(patches) - patches), (1, 2, 3))
        return squared.reshape(batch, len(across))

    at_once = min(len(down), max(1, AT_ONCE // (batch * len(across))))
    return lax.map(row, jnp.asarray(down), batch_size=at_once).transpose(1, 0, 2)


def fuse(levels: Sequence[jax.Array]) -> jax.Array:
    """The largest over neighbouring levels of the smaller of the two: above a threshold where any two both are."""
    if len(levels) == 1:
        return levels[0]
    pairs = [jnp.minimum(finer, coarser) for finer, coarser in zip(levels[:-1], levels[1:], strict=True)]
    return jnp.max(jnp.stack(pairs), 0)


def opened(maps: jax.Array, size: int) -> jax.Array:
    """Grey opening of [B, H, W] by a square of size x size pixels (odd): that of the mask at each threshold."""
    window, steps = (1, size, size), (1, 1, 1)
    eroded = lax.reduce_window(maps, jnp.inf, lax.min, window, steps, "SAME")
    return lax.reduce_window(eroded, -jnp.inf, lax.max, window, steps, "SAME")


def _check(*, levels: int, widths: Sequence[int], patches: int, stride: int, opening: int) -> None:
    """Raises ValueError, naming field, value, rule and remedy, for settings that describe no detector."""
    if len(widths) != 3:
        raise ValueError(f"settings.widths = {tuple(widths)}: 8 pixels are halved three times; give three widths")
    if levels < 1 or patches < 1:
        raise ValueError(f"settings.levels = {levels}, settings.patches = {patches}: give whole numbers from 1 on")
    if not 1 <= stride <= PATCH:
        raise ValueError(f"settings.stride = {stride} pixels leaves some unseen; use 1 to {PATCH}, the side of a patch")
    if opening < 1 or opening % 2 == 0:
        raise ValueError(f"settings.opening = {opening} pixels has no middle; use an odd number, such as 3; 1 for none")
