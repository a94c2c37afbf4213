"""DAE: a deep autoencoder learns to redraw normal images; what it cannot redraw is a defect.

The encoder and the decoder of MAA without its memory, its residual blocks and its discriminator. With skip connections
(`dae_skip`) the decoder also sees what the encoder saw at each scale: it redraws better, defects too.

Use it as the plainest autoencoder of whole images, to compare with.

Source: Niu, Li, Li, Qiu, Niu, "Positive-Sample-Based Surface Defect Detection Using Memory-Augmented Adversarial
Autoencoders", IEEE/ASME Transactions on Mechatronics, 2021: Table I, and the baselines of Table II. It does not say
where the skips go; here they are concatenated to the output of each transposed convolution.
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect.detector import Batch, Detector, Scores, check_size
from jaxdefect.losses.adversarial import batch_moments, from_tanh, to_tanh
from jaxdefect.maps import residuals
from jaxdefect.networks.blocks import Conv, Deconv, apply, batch_norm
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

FACTOR = 8  # by which the encoder shrinks a side


class Encoder(nn.Module):
    """[B, H, W, C] in [-1, 1] -> its features at full, half, quarter and eighth of the size, the last 16 * width."""

    width: int  # channels of the first layer; 16 in the paper

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, ...]:
        norm = lambda x: nn.relu(batch_norm(train=train)(x))
        x = norm(Conv(self.width, (1, 7), 1, None, bias=False)(images))
        scales = [norm(Conv(2 * self.width, (7, 1), 1, None, bias=False)(x))]
        for times in (4, 8, 16):
            scales.append(norm(Conv(times * self.width, 3, bias=False)(scales[-1])))
        return tuple(scales)


class Decoder(nn.Module):
    """[B, h, w, K] -> [B, 8 h, 8 w, channels] in [-1, 1]. skips: features of full, half and quarter size, or none."""

    width: int
    channels: int

    @nn.compact
    def __call__(self, code: jax.Array, skips: Sequence[jax.Array] = (), *, train: bool) -> jax.Array:
        norm = lambda x: nn.relu(batch_norm(train=train)(x))
        x, skips = code, list(skips)
        for times in (8, 4, 2):
            x = norm(Deconv(times * self.width, 3, bias=False)(x))
            x = jnp.concatenate([x, skips.pop()], -1) if skips else x
        x = norm(Conv(self.width, (7, 1), 1, None, bias=False)(x))
        return jnp.tanh(batch_norm(train=train)(Conv(self.channels, (1, 7), 1, None, bias=False)(x)))


class Autoencoder(nn.Module):
    """[B, H, W, C] in [-1, 1] -> the same. H and W are multiples of 8."""

    width: int
    skip: bool

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        *scales, code = Encoder(self.width)(images, train=train)
        return Decoder(self.width, images.shape[-1])(code, scales if self.skip else (), train=train)


def make(*, size: int, width: int, skip: bool, learning_rate: float, box: int) -> Detector:
    """DAE. The learning rate may be a tracer. The state is a Player.

    size: pixels a side of the images trained on, a multiple of 8; others are resized to it when scored. width:
    channels of the first layer (16). skip: whether the decoder sees the encoder's features at the three scales above
    the code. box: side of the mean filter over the squared residual, pixels. The score is the mean squared error.
    """
    check_settings(size=size, box=box)
    net = Autoencoder(width, skip)
    optimizer = optim.adam(learning_rate)

    def init(key: jax.Array, batch: Batch) -> Player:
        check_size(batch, size)
        return optim.init_player(optimizer, net.init(key, batch.image, train=True))

    def step(state: Player, batch: Batch, key: jax.Array) -> tuple[Player, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.
        seen = to_tanh(batch.image)

        def loss(params):
            rebuilt, stats = apply(net, params, state.batch_stats, seen, train=True)
            squared = jnp.mean(jnp.square(rebuilt - seen))
            return squared, (stats, redrawing(rebuilt, seen) | {"squared": squared})

        return optim.update_player(optimizer, loss, state)

    def score(state: Player, images: jax.Array) -> Scores:
        redraw = lambda seen: apply(net, state.params, state.batch_stats, seen, train=False)[0]
        return scored(images, redraw, size=size, box=box)

    return Detector(init, step, score)


def redrawing(rebuilt: jax.Array, seen: jax.Array) -> dict[str, jax.Array]:
    """Metrics of a reconstruction, both in [-1, 1]: `loss`, its mean absolute error in [0, 1], and its likeness."""
    return {"loss": jnp.mean(jnp.abs(rebuilt - seen)) / 2} | batch_moments(rebuilt, seen)


def scored(images: jax.Array, redraw: Callable[[jax.Array], jax.Array], *, size: int, box: int) -> Scores:
    """The mean squared error of images [B, H, W, C] in [0, 1], and its map, filtered.

    redraw: [B, size, size, C] in [-1, 1] -> the same.
    """
    height, width = images.shape[1:3]
    seen = residuals.resize(images, size, size)
    rebuilt = from_tanh(redraw(to_tanh(seen)))
    residual = residuals.squared(seen, rebuilt)
    back = lambda x: residuals.resize(x, height, width)
    reconstruction = jnp.clip(back(rebuilt), 0, 1)  # The weights of a resize sum to 1 only up to rounding.
    return Scores(jnp.mean(residual, (1, 2)), back(residuals.box_filter(residual, box)), reconstruction)


def check_settings(*, size: int, box: int) -> None:
    """Raises ValueError, naming field, value, rule and remedy, for a size or a box that cannot be."""
    if size % FACTOR or size < FACTOR:
        near = max(FACTOR, size // FACTOR * FACTOR)
        raise ValueError(f"settings.size = {size} pixels; the encoder halves it three times: "
                         f"use a multiple of {FACTOR} such as {near} or {near + FACTOR}")  # fmt: skip
    residuals.check_box(box)
