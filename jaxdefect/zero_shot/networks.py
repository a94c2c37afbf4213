"""What zero-shot classifiers of surfaces share: attributes, the range of features, networks of features, their losses.

Features x [B, F] are what a frozen backbone makes of images, scaled to [0, 1] by the range of the training features.
A class embedding (CE) is a row of attributes [A] of unit length, as TF-VAEGAN reads them; a surface is its row's index.

Sources: Narayan et al., "Latent Embedding Feedback and Discriminative Features for Zero-Shot Classification"
(TF-VAEGAN), ECCV 2020; the class embeddings of DAGM_MIX.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.networks.blocks import DCGAN_INIT
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

SLOPE = 0.2  # of the leaky rectifiers
FAR = 1e30  # where a minimum and a maximum start from; finite, so that two states can be compared


def table(attributes: Mapping[str, Sequence[float]] | Sequence[tuple[str, Sequence[float]]]) -> np.ndarray:
    """The class embeddings [K, A] of unit length, in the order given: {class: attributes} or pairs of the two.

    Raises ValueError for rows that differ in length, are no finite numbers, or all zero (which have no direction).
    """
    rows = dict(attributes)
    if len(rows) != len(attributes) or not rows:
        raise ValueError(f"settings.attributes holds {len(attributes)} rows for {len(rows)} classes; give each class "
                         "exactly one row")  # fmt: skip
    length = len(next(iter(rows.values())))
    for name, row in rows.items():
        if len(row) != length or not length:
            raise ValueError(f"settings.attributes: class {name!r} has {len(row)} attributes where the first class has "
                             f"{length}; give every class a number for each attribute")  # fmt: skip
        if not np.isfinite(row).all() or not np.any(row):
            raise ValueError(f"settings.attributes: class {name!r} has the attributes {tuple(row)}; give finite "
                             "numbers of which at least one is not 0")  # fmt: skip
    values = np.array(list(rows.values()), np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def unit(x: jax.Array) -> jax.Array:
    """[..., A] at length 1; zeros stay zeros."""
    return x * lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(x), -1, keepdims=True), 1e-12))


class Range(NamedTuple):
    """Lowest and highest value so far of each feature, [F] each."""

    low: jax.Array
    high: jax.Array


def no_range(features: int) -> Range:
    """Before any image."""
    return Range(jnp.full(features, FAR), jnp.full(features, -FAR))


def widened(span: Range, x: jax.Array, counted: jax.Array) -> Range:
    """The range with the features [B, F] of all devices for which `counted` [B] is not 0."""
    among = lambda other: jnp.where(counted[:, None] > 0, x, other)
    low, high = lax.pmin(jnp.min(among(FAR), 0), parallel.AXIS), lax.pmax(jnp.max(among(-FAR), 0), parallel.AXIS)
    return Range(jnp.minimum(span.low, low), jnp.maximum(span.high, high))


def scaled(span: Range, x: jax.Array) -> jax.Array:
    """[B, F] in units of the range: training features in [0, 1], and others held there. NaN stays NaN."""
    width = span.high - span.low
    return jnp.clip((x - span.low) / jnp.where(width > 0, width, 1), 0, 1)


def sum_by_class(values: jax.Array, surface: jax.Array, classes: int) -> jax.Array:
    """[B, ...] summed over the images of each surface class, all devices': [classes, ...]."""
    return lax.psum(jax.ops.segment_sum(values, surface, classes), parallel.AXIS)


def weighted_mean(values: jax.Array, counted: jax.Array) -> jax.Array:
    """The mean of [B] weighted by `counted` [B], such that devices' means average to that of the whole batch."""
    return jnp.mean(values * counted) / jnp.maximum(parallel.mean(jnp.mean(counted)), 1e-6)


class Encoder(nn.Module):
    """Anything [B, ...] -> hidden -> (mean, log variance) of a latent code, [B, latent] each."""

    hidden: int
    latent: int

    @nn.compact
    def __call__(self, *inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = nn.leaky_relu(nn.Dense(self.hidden, kernel_init=DCGAN_INIT)(jnp.concatenate(inputs, -1)), SLOPE)
        return tuple(jnp.split(nn.Dense(2 * self.latent, kernel_init=DCGAN_INIT)(h), 2, -1))


class Decoder(nn.Module):
    """Codes -> hidden -> the logits of features in [0, 1], [B, F]. `feedback` [B, hidden] adds to what is hidden."""

    hidden: int
    features: int

    @nn.compact
    def __call__(self, *inputs: jax.Array, feedback: jax.Array | float = 0.0) -> jax.Array:
        h = nn.leaky_relu(nn.Dense(self.hidden, kernel_init=DCGAN_INIT)(jnp.concatenate(inputs, -1)), SLOPE)
        return nn.Dense(self.features, kernel_init=DCGAN_INIT)(h + feedback)


class Critic(nn.Module):
    """(features, class embeddings) -> hidden -> [B] scores; the higher, the more real."""

    hidden: int

    @nn.compact
    def __call__(self, *inputs: jax.Array) -> jax.Array:
        h = nn.leaky_relu(nn.Dense(self.hidden, kernel_init=DCGAN_INIT)(jnp.concatenate(inputs, -1)), SLOPE)
        return nn.Dense(1, kernel_init=DCGAN_INIT)(h)[:, 0]


class Reader(nn.Module):
    """Features -> hidden -> the attributes they show. ([B, attributes], [B, hidden])."""

    hidden: int
    attributes: int
    unit_length: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = nn.leaky_relu(nn.Dense(self.hidden, kernel_init=DCGAN_INIT)(x), SLOPE)
        a = nn.Dense(self.attributes, kernel_init=DCGAN_INIT)(h)
        return unit(a) if self.unit_length else a, h


class Feedback(nn.Module):
    """What is hidden in the reader -> what is added to what is hidden in the decoder, [B, hidden] both."""

    hidden: int

    @nn.compact
    def __call__(self, h: jax.Array) -> jax.Array:
        for _ in range(2):
            h = nn.leaky_relu(nn.Dense(self.hidden, kernel_init=DCGAN_INIT)(h), SLOPE)
        return h


def kl(mean: jax.Array, log_variance: jax.Array, centre: jax.Array | float = 0.0) -> jax.Array:
    """KL divergence [B] of N(mean, exp(log_variance)) from N(centre, 1), summed over the latent axis.

    The sign of Eq. 3 of the DAGM_MIX paper put right: as printed, it would drive codes away from their embedding.
    """
    terms = jnp.exp(log_variance) + jnp.square(mean - centre) - 1 - log_variance
    return 0.5 * jnp.sum(terms, -1)


def cross_entropy(logits: jax.Array, x: jax.Array) -> jax.Array:
    """Binary cross-entropy [B] of features x [B, F] in [0, 1] and their reconstruction, summed over features."""
    return jnp.sum(optax.sigmoid_binary_cross_entropy(logits, x), -1)


def squared(found: jax.Array, wanted: jax.Array) -> jax.Array:
    """Mean squared error over attributes or features, [B]. Eq. 4 of the DAGM_MIX paper."""
    return jnp.mean(jnp.square(found - wanted), -1)


def weighted_l1(found: jax.Array, wanted: jax.Array) -> jax.Array:
    """TF-VAEGAN's error of attributes, [B]: L1 in which larger differences weigh more."""
    difference = found - wanted
    square = jnp.square(difference)
    weight = square * lax.rsqrt(jnp.sum(square, -1, keepdims=True) + 1e-12)
    return jnp.sum(weight * jnp.abs(difference), -1)


def slope_penalty(
    critic: Callable[[jax.Array], jax.Array], real: jax.Array, fake: jax.Array, keys: jax.Array
) -> jax.Array:
    """(|grad critic(x)| - 1)^2 at a random place between each pair of features, [B]. keys: one per sample.

    Source: Gulrajani et al. 2017, Eq. 3.
    """
    place = jax.vmap(jax.random.uniform)(keys)[:, None]
    slopes = jax.grad(lambda x: jnp.sum(critic(x)))(place * real + (1 - place) * fake)
    return jnp.square(jnp.sqrt(jnp.sum(jnp.square(slopes), -1) + 1e-12) - 1)


def adapted(penalty: jax.Array, mean: jax.Array) -> jax.Array:
    """TF-VAEGAN's weight of the gradient penalty after a step in which the penalty was `mean` on average."""
    return penalty * jnp.where(mean > 1.05, 1.1, jnp.where(mean < 1.001, 1 / 1.1, 1.0))


def drawn(mean: jax.Array, log_variance: jax.Array, keys: jax.Array) -> jax.Array:
    """A code [B, latent] from each N(mean, exp(log_variance)). keys: one per sample."""
    noise = jax.vmap(lambda key: jax.random.normal(key, mean.shape[1:]))(keys)
    return mean + jnp.exp(0.5 * log_variance) * noise


def improve_all(
    optimizers: Sequence[optax.GradientTransformation],
    loss: Callable[..., tuple[jax.Array, Any]],
    players: Sequence[Player],
) -> tuple[list[Player], Any]:
    """One step of several players down `loss(*their params) -> (loss, aux)`. Returns (players, aux)."""
    gradients, aux = jax.grad(lambda params: loss(*params), has_aux=True)([own.params for own in players])
    moved = []
    for optimizer, gradient, own in zip(optimizers, gradients, players, strict=True):
        updates, opt_state = optimizer.update(gradient, own.opt_state, own.params)
        moved.append(own._replace(params=optax.apply_updates(own.params, updates), opt_state=opt_state))
    return moved, aux


class CodeVae(NamedTuple):
    """The VAE whose codes become class embeddings (CE-VAE), for features x [B, F] in [0, 1].

    init: key -> its networks. learn: (networks, x, surface, counted, key) -> (networks, squared error of x redrawn).
    codes: (networks, x, key) -> (means [B, A], logits [B, F] of x redrawn from codes drawn around them).
    """

    init: Callable[[jax.Array], Player]
    learn: Callable[..., tuple[Player, jax.Array]]
    codes: Callable[..., tuple[jax.Array, jax.Array]]


def code_vae(table: jax.Array, *, features: int, hidden: int, rate: float | jax.Array) -> CodeVae:
    """Codes near the class embedding given (Eq. 3) from which features can be redrawn (Eqs. 1, 2). table: [K, A]."""
    encoder, decoder, adam = Encoder(hidden, table.shape[1]), Decoder(hidden, features), optim.adam(rate)

    def init(key: jax.Array) -> Player:
        first, second = jax.random.split(key)
        params = {
            "encoder": encoder.init(first, jnp.zeros((1, features)))["params"],
            "decoder": decoder.init(second, table[:1])["params"],
        }
        return optim.player(adam, {"params": params})

    def run(params, x, key):
        mean, log_variance = encoder.apply({"params": params["encoder"]}, x)
        z = drawn(mean, log_variance, parallel.sample_keys(key, len(x)))
        return mean, log_variance, decoder.apply({"params": params["decoder"]}, z)

    def learn(own: Player, x, surface, counted, key) -> tuple[Player, jax.Array]:
        def loss(params):
            mean, log_variance, logits = run(params, x, key)
            value = kl(mean, log_variance, table[surface]) + 0.5 * cross_entropy(logits, x)
            return weighted_mean(value, counted), ({}, weighted_mean(squared(jax.nn.sigmoid(logits), x), counted))

        return optim.improve(adam, loss, own)

    def codes(own: Player, x, key):
        mean, _, logits = run(own.params, x, key)
        return mean, logits

    return CodeVae(init, learn, codes)


def check_labels(batch: Batch) -> None:
    """Raises ValueError where images come without the class of their surface."""
    if batch.surface is None:
        raise ValueError("the batch has no surfaces, which this detector learns to tell apart; set train.labels = "
                         "'surfaces' and data.mixed = True")  # fmt: skip
