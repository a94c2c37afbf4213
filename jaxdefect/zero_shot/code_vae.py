"""The VAE whose codes become learned class embeddings (CE-VAE)."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdefect import parallel
from jaxdefect.losses.adversarial import kl, sample_latent
from jaxdefect.parallel import weighted_mean
from jaxdefect.training import optim
from jaxdefect.training.optim import Player
from jaxdefect.zero_shot.losses import cross_entropy, squared
from jaxdefect.zero_shot.networks import Decoder, Encoder


class CodeVae(NamedTuple):
    """The VAE whose codes become class embeddings (CE-VAE), for features x [B, F] in [0, 1].

    init: key -> its networks. learn: (networks, x, surface, counted, key) -> (networks, squared error of the
    reconstruction of x). codes: (networks, x, key) -> (means [B, A], logits [B, F] of x reconstructed from codes drawn
    around them).
    """

    init: Callable[[jax.Array], Player]
    learn: Callable[..., tuple[Player, jax.Array]]
    codes: Callable[..., tuple[jax.Array, jax.Array]]


def code_vae(table: jax.Array, *, features: int, hidden: int, rate: float | jax.Array) -> CodeVae:
    """Codes near the given class embeddings [K, A] (Eq. 3) that features can be reconstructed from (Eqs. 1, 2)."""
    encoder, decoder, adam = Encoder(hidden, table.shape[1]), Decoder(hidden, features), optim.adam(rate)

    def init(key: jax.Array) -> Player:
        first, second = jax.random.split(key)
        params = {
            "encoder": encoder.init(first, jnp.zeros((1, features)))["params"],
            "decoder": decoder.init(second, table[:1])["params"],
        }
        return optim.init_player(adam, {"params": params})

    def run(params, x, key):
        mean, log_variance = encoder.apply({"params": params["encoder"]}, x)
        z = sample_latent(mean, log_variance, parallel.sample_keys(key, len(x)))
        return mean, log_variance, decoder.apply({"params": params["decoder"]}, z)

    def learn(player: Player, x, surface, counted, key) -> tuple[Player, jax.Array]:
        def loss(params):
            mean, log_variance, logits = run(params, x, key)
            value = kl(mean, log_variance, table[surface]) + 0.5 * cross_entropy(logits, x)
            return weighted_mean(value, counted), ({}, weighted_mean(squared(jax.nn.sigmoid(logits), x), counted))

        return optim.update_player(adam, loss, player)

    def codes(player: Player, x, key):
        mean, _, logits = run(player.params, x, key)
        return mean, logits

    return CodeVae(init, learn, codes)
