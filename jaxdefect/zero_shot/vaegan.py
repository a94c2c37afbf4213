"""The VAEGAN over features and class embeddings, as SBAD and TF-VAEGAN train it.

An encoder and a decoder reconstruct features x [B, F] from a code and a class embedding a [B, A], a critic judges the
reconstructions, and a reader (Encoder-2) reads the class embedding off features. In TF-VAEGAN what is hidden in the
reader is fed back into the decoder.

Sources: the two-stage system of DAGM_MIX, Section 3.2; Narayan et al., "Latent Embedding Feedback and Discriminative
Features for Zero-Shot Classification" (TF-VAEGAN), ECCV 2020.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxdefect import parallel
from jaxdefect.losses.adversarial import gradient_penalty, kl, sample_latent
from jaxdefect.parallel import weighted_mean
from jaxdefect.training import optim
from jaxdefect.training.optim import Player
from jaxdefect.zero_shot import losses
from jaxdefect.zero_shot.networks import Critic, Decoder, Encoder, Feedback, Reader

Number = float | jax.Array


class Networks(NamedTuple):
    """The networks of the VAEGAN; `feedback` is empty without TF-VAEGAN."""

    generator: Player  # Encoder-1 and decoder
    feedback: Player
    critic: Player
    reader: Player  # Encoder-2
    penalty: jax.Array  # weight of the gradient penalty


class Vaegan(NamedTuple):
    """init: key -> Networks. learn: (networks, x, a, counted [B], key) -> (networks, (squared error of the
    reconstruction, error of the attributes read, the critic's distance)), one step of all. draw: (networks, codes
    z [B, A], a) -> a list of logits [B, F] of features, before feedback and after. read: (networks, x) -> (the
    attributes that features show [B, A], what is hidden in the reader [B, hidden]).
    """

    init: Callable[[jax.Array], Networks]
    learn: Callable[..., tuple[Networks, tuple[jax.Array, jax.Array, jax.Array]]]
    draw: Callable[[Networks, jax.Array, jax.Array], list[jax.Array]]
    read: Callable[[Networks, jax.Array], tuple[jax.Array, jax.Array]]


def vaegan(
    *, length: int, features: int, hidden: int, tf_vaegan: bool, critic_steps: int, attribute_weight: Number,
    adversarial: Number, penalty: Number, feedback: Number, rates: tuple[Number, Number, Number],
) -> Vaegan:  # fmt: skip
    """The VAEGAN of class embeddings of `length` numbers and so many features. Numbers but counts may be tracers.

    rates: learning rates of generator and critic, of the reader, and of the feedback. The rest: see `sbad.make`.
    """
    encoder, decoder, critic = Encoder(hidden, length), Decoder(hidden, features), Critic(hidden)
    reader, feedback_net = Reader(hidden, length, tf_vaegan), Feedback(hidden)
    error = losses.weighted_l1 if tf_vaegan else losses.squared
    adam, reader_adam, feedback_adam = (optim.adam(rate, b1=0.5) for rate in rates)

    def init(key: jax.Array) -> Networks:
        keys = jax.random.split(key, 5)
        x, a, h = (jnp.zeros((1, size)) for size in (features, length, hidden))
        parts = {"encoder": encoder.init(keys[0], x, a)["params"], "decoder": decoder.init(keys[1], a, a)["params"]}
        feedback_variables = feedback_net.init(keys[2], h) if tf_vaegan else {"params": {}}
        return Networks(
            optim.init_player(adam, {"params": parts}), optim.init_player(feedback_adam, feedback_variables),
            optim.init_player(adam, critic.init(keys[3], x, a)),
            optim.init_player(reader_adam, reader.init(keys[4], x)), jnp.asarray(penalty, jnp.float32),
        )  # fmt: skip

    def decode(generator, feedback_params, reader_params, z, a) -> list[jax.Array]:
        logits_of = lambda **more: decoder.apply({"params": generator["decoder"]}, z, a, **more)
        first = logits_of()
        if not tf_vaegan:
            return [first]
        _, inside = reader.apply({"params": reader_params}, jax.nn.sigmoid(first))
        added = feedback * feedback_net.apply({"params": feedback_params}, inside)
        return [first, logits_of(feedback=added)]

    def reconstruct(generator, feedback_params, reader_params, x, a, keys):
        """(divergence of the codes [B], logits before feedback and after, the features reconstructed)."""
        mean, log_variance = encoder.apply({"params": generator["encoder"]}, x, a)
        z = sample_latent(mean, log_variance, keys)
        logits = decode(generator, feedback_params, reader_params, z, a)
        return kl(mean, log_variance), logits, jax.nn.sigmoid(logits[-1])

    def learn(networks: Networks, x, a, counted, key):
        """`critic_steps` updates of critic and reader on real features, then one of the others on reconstructions."""
        keys = jax.vmap(lambda key: jax.random.split(key, 2 * critic_steps + 1))(parallel.sample_keys(key, len(x)))
        keys = jnp.swapaxes(keys, 0, 1)
        judge = lambda params, x: critic.apply({"params": params}, x, a)
        misread = lambda params, x: weighted_mean(error(reader.apply({"params": params}, x)[0], a), counted)

        def critic_step(players, keys):
            judging, reading = players
            *_, fake = reconstruct(networks.generator.params, networks.feedback.params, reading.params, x, a, keys[0])

            def critic_loss(params):
                apart = weighted_mean(judge(params, x) - judge(params, fake), counted)
                slopes = gradient_penalty(lambda x: judge(params, x), x, fake, keys[1])
                steep = weighted_mean(slopes, counted)
                return adversarial * (networks.penalty * steep - apart), ({}, (apart, steep))

            judging, measured = optim.update_player(adam, critic_loss, judging)
            reading, _ = optim.update_player(
                reader_adam, lambda params: (attribute_weight * misread(params, x), ({}, None)), reading
            )
            return (judging, reading), measured

        rounds = jnp.stack([keys[:critic_steps], keys[critic_steps:-1]], 1)
        (judging, reading), (apart, steep) = lax.scan(critic_step, (networks.critic, networks.reader), rounds)

        def loss(generator, reader_params, feedback_params):
            divergence, logits, fake = reconstruct(generator, feedback_params, reader_params, x, a, keys[-1])
            entropy = sum(losses.cross_entropy(each, x) for each in logits) / len(logits)
            value = weighted_mean(entropy + divergence - adversarial * judge(judging.params, fake), counted)
            value += attribute_weight * misread(reader_params, fake)
            return value, weighted_mean(losses.squared(fake, x), counted)

        players = (networks.generator, reading, networks.feedback)
        (generator, reading, looped), squared = optim.update_players((adam, reader_adam, feedback_adam), loss, players)
        weight = losses.adapted_penalty(networks.penalty, parallel.mean(jnp.mean(steep)))
        measured = (squared, misread(reading.params, x), jnp.mean(apart))
        return Networks(generator, looped, judging, reading, weight), measured

    def draw(networks: Networks, z: jax.Array, a: jax.Array) -> list[jax.Array]:
        return decode(networks.generator.params, networks.feedback.params, networks.reader.params, z, a)

    def read(networks: Networks, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return reader.apply({"params": networks.reader.params}, x)

    return Vaegan(init, learn, draw, read)
