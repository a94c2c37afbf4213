"""MAA: an image is reconstructed from what a memory holds of normal images, and judged by the Frechet Markov distance.

An autoencoder with a convolutional LSTM between its halves, whose state is carried from batch to batch and frozen when
images are scored; a patch discriminator, whose features of an image and of its reconstruction are compared.

Use it to study memories and the Frechet Markov distance; it trains longer than its rivals and was not better here.

Source: Niu, Li, Li, Qiu, Niu, "Positive-Sample-Based Surface Defect Detection Using Memory-Augmented Adversarial
Autoencoders", IEEE/ASME Transactions on Mechatronics, 2021.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxdefect import parallel
from jaxdefect.detector import Batch, Detector, Scores, check_multiple, check_size
from jaxdefect.losses import balance
from jaxdefect.losses.adversarial import batch_moments, from_tanh, gan_loss, to_tanh
from jaxdefect.maps import residuals
from jaxdefect.maps.reconstruction import reconstruction_scores
from jaxdefect.networks.blocks import Conv, Deconv, apply, batch_norm, spectral
from jaxdefect.statistics import frechet
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

SLOPE = 0.1  # of the LeakyReLUs, Table I


class Memory(NamedTuple):
    """State of the ConvLSTM, the mean over the batch: [H / 8, W / 8, C] each."""

    hidden: jax.Array
    cell: jax.Array


class Generator(nn.Module):
    """Encoder, memory, decoder (Table I). ([B, H, W, C] in [-1, 1], memory) -> (the same, a memory of each image).

    H and W are multiples of 8. Without a memory it is an adversarial autoencoder.
    """

    width: int  # channels of the first layer; 16 in the paper
    blocks: int  # residual blocks before the memory, and after
    with_memory: bool
    cell_clip: int  # the most a number of the cell may be; 0 for no bound

    @nn.compact
    def __call__(self, images: jax.Array, memory: Memory, *, train: bool) -> tuple[jax.Array, Memory]:
        width, channels = self.width, images.shape[-1]
        norm = lambda x: nn.relu(batch_norm(train=train)(x))
        conv = functools.partial(Conv, bias=False)  # Normalisation takes the mean away again.
        x = norm(conv(width, (1, 7), 1, None)(images))
        x = norm(conv(2 * width, (7, 1), 1, None)(x))
        for times in (4, 8, 16):
            x = norm(conv(times * width, 3)(x))
        for _ in range(self.blocks):
            x = self.residual_block(x, train)
        if self.with_memory:
            x, memory = self.recall(x, memory)
        for _ in range(self.blocks):
            x = self.residual_block(x, train)
        for times in (8, 4, 2):
            x = norm(Deconv(times * width, 3, bias=False)(x))
        x = norm(conv(width, (7, 1), 1, None)(x))
        # The readable ticks normalise the last row as well: a tanh of normalised values.
        x = batch_norm(train=train)(conv(channels, (1, 7), 1, None)(x))
        return jnp.tanh(x), memory

    def residual_block(self, x: jax.Array, train: bool) -> jax.Array:
        norm = lambda y: batch_norm(train=train)(Conv(x.shape[-1], 3, 1, bias=False)(y))
        return x + norm(nn.relu(norm(x)))

    def recall(self, z: jax.Array, memory: Memory) -> tuple[jax.Array, Memory]:
        """Eq. 1-6: the encoding asks, the memory answers and takes it in."""
        hidden, cell = (jnp.broadcast_to(part, z.shape) for part in memory)
        gates = Conv(4 * z.shape[-1], 3, 1, name="memory")(jnp.concatenate([hidden, z], -1))
        enter, forget, out, candidate = jnp.split(gates, 4, -1)
        cell = nn.sigmoid(forget) * cell + nn.sigmoid(enter) * jnp.tanh(candidate)
        if self.cell_clip:
            cell = jnp.clip(cell, -self.cell_clip, self.cell_clip)
        hidden = nn.sigmoid(out) * jnp.tanh(cell)
        return hidden, Memory(hidden, cell)


class Discriminator(nn.Module):
    """Patch discriminator (Table I). [B, H, W, C] -> (logits of each patch, the two taps of the Markov encoder).

    Taps: `features`, [B, h, w, 8 * width] after the last LeakyReLU; `patch30`, the map of one channel after it.
    """

    width: int  # channels of the first layer; 64 in the paper
    spectral: bool  # spectral in place of batch normalisation

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        act = lambda x: nn.leaky_relu(x, SLOPE)
        conv = lambda *shape, **options: spectral(Conv(*shape, **options), use=self.spectral, train=train)
        x = act(conv(self.width)(images))
        for times, stride in ((2, 2), (4, 2), (8, 1)):
            x = conv(times * self.width, 4, stride, bias=self.spectral)(x)
            x = act(x if self.spectral else batch_norm(train=train)(x))
        features = x
        patches = conv(1, 4, 1)(x)
        return conv(1, 4, 1)(patches), {"features": features, "patch30": patches[..., 0]}


class State(NamedTuple):
    generator: Player
    discriminator: Player
    memory: Memory


def make(
    *,
    size: int,
    width: int,
    critic_width: int,
    blocks: int,
    memory: bool,
    cell_clip: int,
    feature_loss: bool,
    adversarial: float,
    critic_balance: Sequence[str],
    r1: float,
    learning_rate: float,
    critic_rate: float,
    tap: str,
    distance: str,
    window: int,
) -> Detector:
    """MAA. Floats (adversarial, r1, learning_rate, critic_rate) may be tracers.

    size: pixels a side of the images trained on, a multiple of 8 from 32 on; others are resized to it when scored.
    width, critic_width: channels of the first layers (16, 64). blocks: residual blocks on each side of the memory (3).
    memory: whether there is a memory. cell_clip: the most a number in its cell may be; 0 for no bound, as published:
    carried from batch to batch it then grows for as long as there are steps. feature_loss: L1 of features (Eq. 8);
    without, of pixels. adversarial: weight lambda of the adversarial loss (Eq. 10). critic_balance: what keeps the
    discriminator from winning (see `losses.balance`); r1: the weight of r1 there. learning_rate, critic_rate: of
    generator and discriminator, the same in the paper. tap: the features of the image score, `features` (positions are
    samples, channels dimensions) or `patch30` (rows are samples). distance: the image score, fmd (Eq. 7), markov_l1
    (mean absolute difference of the features) or l1 (of the pixels). window: side of the local variance, pixels (11).
    """
    _check(size=size, tap=tap, distance=distance, window=window)
    balance.check(critic_balance)
    generator = Generator(width, blocks, memory, cell_clip)
    discriminator = Discriminator(critic_width, "spectral" in critic_balance)
    optimizer, critic_optimizer = (optim.adam(rate, b1=0.5) for rate in (learning_rate, critic_rate))

    def init(key: jax.Array, batch: Batch) -> State:
        check_size(batch, size)
        keys = jax.random.split(key)
        empty = jnp.zeros((size // 8, size // 8, 16 * width))
        forgotten = Memory(empty, empty)
        player = optim.init_player(optimizer, generator.init(keys[0], batch.image, forgotten, train=True))
        critic = optim.init_player(critic_optimizer, discriminator.init(keys[1], batch.image, train=True))
        return State(player, critic, forgotten)

    def discriminate(params, batch_stats, images, train=True):
        return apply(discriminator, params, batch_stats, images, train=train)

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        keys = parallel.sample_keys(key, len(batch.image))
        show = lambda x: balance.shown(x, keys, critic_balance)  # Real and drawn images of a place are changed alike.
        images, clean = to_tanh(batch.image), to_tanh(batch.clean)
        paired = clean if batch.paired_image is None else to_tanh(batch.paired_image)
        player, critic = state.generator, state.discriminator
        reconstruct = lambda params: apply(generator, params, player.batch_stats, images, state.memory, train=True)

        def critic_loss(params):
            (reconstruction, _), _ = reconstruct(player.params)
            (real, _), stats = discriminate(params, critic.batch_stats, show(paired))
            (fake, _), stats = discriminate(params, stats, show(reconstruction))
            told = gan_loss(real, True) + gan_loss(fake, False)
            verdict = lambda x: discriminate(params, critic.batch_stats, x)[0][0]
            slope = r1 * balance.r1(verdict, show(paired)) if "r1" in critic_balance else 0
            return told + slope, (stats, {"critic_loss": told})

        def generator_loss(params):
            (reconstruction, remembered), stats = reconstruct(params)
            (fake, taps), _ = discriminate(updated_critic.params, updated_critic.batch_stats, show(reconstruction))
            (_, wanted), _ = discriminate(updated_critic.params, updated_critic.batch_stats, show(paired))
            pair = (taps["features"], wanted["features"]) if feature_loss else (reconstruction, paired)
            content, fooling = jnp.mean(jnp.abs(pair[0] - pair[1])), gan_loss(fake, True)
            error = jnp.mean(jnp.abs(reconstruction - clean)) / 2
            metrics = {"loss": error, "content": content, "fooling": fooling} | batch_moments(reconstruction, paired)
            return content + adversarial * fooling, (stats, (remembered, metrics))

        updated_critic, critic_metrics = optim.update_player(critic_optimizer, critic_loss, critic)
        player, (remembered, metrics) = optim.update_player(optimizer, generator_loss, player)
        remembered = parallel.mean(jax.tree.map(lambda part: lax.stop_gradient(jnp.mean(part, 0)), remembered))
        return State(player, updated_critic, remembered if memory else state.memory), metrics | critic_metrics

    def score(state: State, images: jax.Array) -> Scores:
        player, critic = state.generator, state.discriminator
        inputs = residuals.resize(images, size, size)
        outputs, _ = apply(generator, player.params, player.batch_stats, to_tanh(inputs), state.memory, train=False)
        difference = lambda images, reconstruction: jnp.mean(reconstruction - images, -1)
        varying = lambda *pair: jnp.square(residuals.local_variance(difference(*pair), window))
        reconstruction = from_tanh(outputs[0])
        if distance == "l1":
            image_scores = jnp.mean(jnp.abs(difference(inputs, reconstruction)), (1, 2))
        else:
            taps = lambda x: discriminate(critic.params, critic.batch_stats, x, False)[0][1][tap]
            pair = (_samples(taps(to_tanh(inputs))), _samples(taps(outputs[0])))
            l1 = lambda a, b: jnp.mean(jnp.abs(a - b), (1, 2))
            image_scores = frechet.distance(*pair) if distance == "fmd" else l1(*pair)
        return reconstruction_scores(images, image_scores, reconstruction, residual=varying)

    return Detector(init, step, score)


def _samples(features: jax.Array) -> jax.Array:
    """[B, h, w, C] -> [B, h w, C], positions as samples; [B, h, w] stays, rows as samples."""
    return features.reshape(len(features), -1, features.shape[-1]) if features.ndim == 4 else features


def _check(*, size: int, tap: str, distance: str, window: int) -> None:
    options = {"tap": (tap, ("features", "patch30")), "distance": (distance, ("fmd", "markov_l1", "l1"))}
    for field, (value, allowed) in options.items():
        if value not in allowed:
            raise ValueError(f"settings.{field} = {value!r} is not known; use one of {', '.join(allowed)}")
    check_multiple(size, 8)
    if size < 32:
        raise ValueError(f"settings.size = {size} pixels; the discriminator needs 32: use 32 or 40")
    if window < 1 or window % 2 == 0:
        raise ValueError(f"settings.window = {window}; the local variance needs an odd number of pixels, such as 11")
