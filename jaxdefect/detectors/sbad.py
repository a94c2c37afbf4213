"""SBAD: a VAEGAN that tells surfaces apart by their attributes and raises an alarm for surfaces it has never seen.

A frozen backbone makes features of an image. First a VAE learns what code of attributes each seen surface really has
(learned class embeddings, CE). Then a VAEGAN redraws features from a code and the CE, and a second encoder reads the CE
off features, real and redrawn. The phases are told apart by a step count: the backbone trains itself (backbone_steps),
CE-VAE (ce_steps), average of its codes (average_steps), VAEGAN (gan_steps), classifier (the rest).

Three modes say what stands for surfaces without training images. B, the one that can be deployed: nothing; the alarm
is the distance of the attributes read from those of the nearest seen class. A: their attributes, after training, from
which the decoder draws features that a classifier then learns from. oracle, which leaks: as A, with attributes learned
from their own images, those with label 1, which take no part in anything else.

Use it where many surfaces run on one line and one never seen must raise an alarm.

Source: the two-stage system of DAGM_MIX, Sections 3.1.2 and 3.2; losses of TF-VAEGAN (Narayan et al., ECCV 2020).
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxdefect import parallel
from jaxdefect.backbones.trainable import extractor
from jaxdefect.detector import Batch, Detector, Scores
from jaxdefect.losses.adversarial import gradient_penalty, kl, sample_latent
from jaxdefect.networks.blocks import l2_normalize
from jaxdefect.parallel import weighted_mean
from jaxdefect.training import optim
from jaxdefect.training.optim import Player
from jaxdefect.zero_shot import class_embeddings, code_vae, feature_range, losses
from jaxdefect.zero_shot.feature_range import Range
from jaxdefect.zero_shot.networks import Critic, Decoder, Encoder, Feedback, Reader

MODES, EMBEDDINGS = ("A", "B", "oracle"), ("learned", "real")


class Vaegan(NamedTuple):
    """The networks of the VAEGAN; `feedback` is empty in SBAD."""

    generator: Player  # Encoder-1 and decoder
    feedback: Player
    critic: Player
    reader: Player  # Encoder-2
    penalty: jax.Array  # weight of the gradient penalty


class State(NamedTuple):
    backbone: Player
    span: Range  # of each feature
    coder: Player  # the VAE that learns class embeddings
    sums: jax.Array  # [K, A] of its codes of the images of each class
    counts: jax.Array  # [K] of them
    seen: jax.Array  # [K] of them, without those of unseen surfaces; a class is seen where this is not 0
    vaegan: Vaegan
    classifier: Player
    step: jax.Array  # taken so far, int32: it says which phase this is


def make(
    *,
    attributes: dict | tuple,
    mode: str,
    embedding: str,
    tf_vaegan: bool,
    hidden: int,
    ce_hidden: int,
    backbone: str,
    backbone_width: int,
    backbone_size: int,
    weights: str,
    backbone_steps: int,
    ce_steps: int,
    average_steps: int,
    gan_steps: int,
    steps: int,
    critic_steps: int,
    backbone_rate: float,
    ce_rate: float,
    learning_rate: float,
    attribute_rate: float,
    feedback_rate: float,
    classifier_rate: float,
    attribute_weight: float,
    adversarial: float,
    penalty: float,
    feedback: float,
) -> Detector:
    """SBAD. Floats may be tracers.

    attributes: {class: (A numbers)} or pairs of the two, of K classes; Batch.surface counts in this order. mode: A, B
    or oracle. embedding: learned, or real (the attributes as they are given; there is no CE-VAE then). tf_vaegan: the
    baseline TF-VAEGAN in place of SBAD: L1 error of attributes, which have unit length when read, what is read is fed
    back into the decoder (`feedback`, a1), and the classifier sees what is read, too. hidden: units of the networks'
    one hidden layer (4096); ce_hidden: of the CE-VAE's (1024). backbone...: see `extractor`; weights: path of its file,
    "" for random ones (a state has the same shape with both, so restoring one needs no file). steps: of the whole
    training. gan_steps: in mode B this phase lasts to the end. critic_steps: updates of the critic in each of its
    steps, of which each sees the whole batch and redraws it with noise of its own (5). Rates: of Adam; attribute_rate:
    Encoder-2's. attribute_weight: of its error beside the VAE's loss (w_r). adversarial: weight of the critic (10);
    penalty: the first weight of its gradient penalty, which adapts (10).
    """
    table = jnp.asarray(class_embeddings.embedding_table(attributes))
    (classes, length), learned = table.shape, embedding == "learned"
    _check(
        mode, embedding, hidden=hidden, ce_hidden=ce_hidden, ce_steps=ce_steps, average_steps=average_steps,
        gan_steps=gan_steps, critic_steps=critic_steps,
    )  # fmt: skip
    extract = extractor(
        backbone=backbone, width=backbone_width, size=backbone_size, file=weights,
        steps=backbone_steps, rate=backbone_rate, classes=classes,
    )  # fmt: skip
    coder = code_vae.code_vae(table, features=extract.count, hidden=ce_hidden, rate=ce_rate)
    fresh, gan, redrawn, read = _vaegan(
        length, extract.count, hidden, tf_vaegan, critic_steps, attribute_weight=attribute_weight, penalty=penalty,
        adversarial=adversarial, feedback=feedback, rates=(learning_rate, attribute_rate, feedback_rate),
    )  # fmt: skip
    adam = optim.adam(classifier_rate, b1=0.5)

    def init(key: jax.Array, batch: Batch) -> State:
        del batch  # All shapes come from the settings.
        keys = jax.random.split(key, 3)
        seen, inputs = jnp.zeros(classes), extract.count + (length + hidden if tf_vaegan else 0)
        linear = {"kernel": jnp.zeros((inputs, classes)), "bias": jnp.zeros(classes)} if mode != "B" else {}
        return State(
            extract.init(keys[0]), feature_range.empty_range(extract.count),
            coder.init(keys[1]) if learned else Player({}, {}, ()),
            jnp.zeros((classes, length)), seen, seen,
            fresh(keys[2]), optim.init_player(adam, {"params": linear}), jnp.zeros((), jnp.int32),
        )  # fmt: skip

    def embeddings(state: State) -> jax.Array:
        """[K, A] of unit length: learned ones where there were codes to average, else the table's rows."""
        mean = l2_normalize(state.sums / jnp.maximum(state.counts, 1)[:, None])
        return jnp.where(state.counts[:, None] > 0, mean, table) if learned else table

    def backbone_step(state: State, batch: Batch, x, counted, key):
        trained, loss = extract.learn(state.backbone, batch, counted)
        return state._replace(backbone=trained), _metrics(loss)

    def ce_step(state: State, batch: Batch, x, counted, key):
        trained, lost = coder.learn(state.coder, x, batch.surface, counted, key)
        return state._replace(coder=trained), _metrics(lost)

    def average_step(state: State, batch: Batch, x, counted, key):
        """Sums up codes per class. Here alone images of unseen surfaces take part, in mode oracle."""
        total = lambda values: class_embeddings.sum_by_class(values, batch.surface, classes)
        counts, seen = total(jnp.ones_like(counted)), total(counted)
        state = state._replace(counts=state.counts + counts, seen=state.seen + seen)
        if not learned:  # Nothing is redrawn: the error is that of grey, or of images that are NaN.
            return state, _metrics(weighted_mean(losses.squared(0.5, x), counted))
        mean, logits = coder.codes(state.coder, x, key)
        lost = losses.squared(jax.nn.sigmoid(logits), x)
        return state._replace(sums=state.sums + total(mean)), _metrics(weighted_mean(lost, counted))

    def gan_step(state: State, batch: Batch, x, counted, key):
        trained, metrics = gan(state.vaegan, x, embeddings(state)[batch.surface], counted, key)
        return state._replace(vaegan=trained), metrics

    def logits_of(state: State, params, x):
        """[B, K] of the classifier: of features alone, for TF-VAEGAN also of what is read of them and hidden."""
        found = read(state.vaegan, x) if tf_vaegan else ()
        return jnp.concatenate([x, *found], -1) @ params["kernel"] + params["bias"]

    def classifier_step(state: State, batch: Batch, x, counted, key):
        """Learns from the batch, and as many features drawn from noise and the attributes of unseen classes."""
        keys = jax.vmap(jax.random.split)(parallel.sample_keys(key, len(x)))
        unseen = (state.seen == 0).astype(jnp.float32)
        which = jax.vmap(lambda key: jax.random.categorical(key, jnp.log(unseen + 1e-9)))(keys[:, 0])
        z = jax.vmap(lambda key: jax.random.normal(key, (length,)))(keys[:, 1])
        fake = jax.nn.sigmoid(redrawn(state.vaegan, z, embeddings(state)[which])[-1])
        share = jnp.sum(unseen) / jnp.maximum(jnp.sum(1 - unseen), 1)  # So every class weighs the same.
        errors = optax.softmax_cross_entropy_with_integer_labels

        def loss(params):
            of_real = weighted_mean(errors(logits_of(state, params, x), batch.surface), counted)
            value = (of_real + share * jnp.mean(errors(logits_of(state, params, fake), which))) / (1 + share)
            return value, ({}, value)

        classifier, value = optim.update_player(adam, loss, state.classifier)
        return state._replace(classifier=classifier), _metrics(value)

    lasting = [(backbone_step, backbone_steps), (ce_step, ce_steps * learned), (average_step, average_steps)]
    lasting = [phase for phase in (*lasting, (gan_step, gan_steps * (mode != "B"))) if phase[1]]
    phases = [phase for phase, _ in lasting] + [gan_step if mode == "B" else classifier_step]
    ends = list(itertools.accumulate(count for _, count in lasting))
    if ends[-1] >= steps:
        last = "VAEGAN" if mode == "B" else "classifier"
        raise ValueError(f"the phases before that of the {last} take {ends[-1]} steps, so that settings.steps = "
                         f"{steps} leaves none for it; use a larger train.steps")  # fmt: skip

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        class_embeddings.check_surfaces(batch)
        features = extract.features(state.backbone, batch.image if batch.features is None else batch.features)
        counted = jnp.ones(len(features))
        if mode == "oracle" and batch.label is not None:
            counted = jnp.where(batch.label == 1, 0.0, counted)
        frozen = state.step >= backbone_steps  # Until then features are not what they will be.
        state = state._replace(span=feature_range.widen_range(state.span, features, counted * frozen))
        phase = jnp.sum(state.step >= jnp.asarray(ends, jnp.int32))
        x = feature_range.scale_to_range(state.span, features)
        state, metrics = lax.switch(phase, phases, state, batch, x, counted, key)
        return state._replace(step=state.step + 1), metrics

    def score(state: State, x: jax.Array) -> Scores:
        x = feature_range.scale_to_range(state.span, extract.features(state.backbone, x))
        found, _ = read(state.vaegan, x)
        if mode == "B":
            fits = -jnp.where(state.seen > 0, losses.squared(found[:, None], embeddings(state)), jnp.inf)
            alarm = -jnp.max(fits, -1)
        else:
            fits = jax.nn.log_softmax(logits_of(state, state.classifier.params, x))
            alarm = jnp.sum(jnp.where(state.seen > 0, 0, jnp.exp(fits)), -1)
        return Scores(alarm, surface=jnp.argmax(fits, -1).astype(jnp.int32), classes=fits, embedding=found)

    return Detector(init, step, score)


def _vaegan(
    length: int, features: int, hidden: int, tf_vaegan: bool, critic_steps: int, *,
    attribute_weight, adversarial, penalty, feedback, rates,
) -> tuple[Callable, Callable, Callable, Callable]:  # fmt: skip
    """The VAEGAN over features x [B, F] and class embeddings a [B, A], as four functions.

    fresh: key -> Vaegan. improve: (vaegan, x, a, counted, key) -> (vaegan, metrics). redrawn: (vaegan, z, a) -> logits
    [B, F] of features drawn from codes z [B, A], a list of those before and after feedback. read: (vaegan, x) -> the
    attributes that features show [B, A], and what is hidden in the reader.
    """
    encoder, decoder, judge = Encoder(hidden, length), Decoder(hidden, features), Critic(hidden)
    reader, loop = Reader(hidden, length, tf_vaegan), Feedback(hidden)
    error = losses.weighted_l1 if tf_vaegan else losses.squared
    adam, reader_adam, loop_adam = (optim.adam(rate, b1=0.5) for rate in rates)

    def fresh(key: jax.Array) -> Vaegan:
        keys = jax.random.split(key, 5)
        x, a, h = (jnp.zeros((1, size)) for size in (features, length, hidden))
        parts = {"encoder": encoder.init(keys[0], x, a)["params"], "decoder": decoder.init(keys[1], a, a)["params"]}
        looped = loop.init(keys[2], h) if tf_vaegan else {"params": {}}
        return Vaegan(
            optim.init_player(adam, {"params": parts}), optim.init_player(loop_adam, looped),
            optim.init_player(adam, judge.init(keys[3], x, a)), optim.init_player(reader_adam, reader.init(keys[4], x)),
            jnp.asarray(penalty, jnp.float32),
        )  # fmt: skip

    def drawn_from(own, looped, eyes, z, a):
        draw = lambda **more: decoder.apply({"params": own["decoder"]}, z, a, **more)
        first = draw()
        if not tf_vaegan:
            return [first]
        _, inside = reader.apply({"params": eyes}, jax.nn.sigmoid(first))
        return [first, draw(feedback=feedback * loop.apply({"params": looped}, inside))]

    def rebuilt(own, looped, eyes, x, a, keys):
        mean, log_variance = encoder.apply({"params": own["encoder"]}, x, a)
        logits = drawn_from(own, looped, eyes, sample_latent(mean, log_variance, keys), a)
        return kl(mean, log_variance), logits, jax.nn.sigmoid(logits[-1])

    def improve(own: Vaegan, x, a, counted, key) -> tuple[Vaegan, dict[str, jax.Array]]:
        """`critic_steps` updates of critic and Encoder-2 on real features, then one of the others on redrawn ones."""
        keys = jax.vmap(lambda key: jax.random.split(key, 2 * critic_steps + 1))(parallel.sample_keys(key, len(x)))
        keys = jnp.swapaxes(keys, 0, 1)
        judged = lambda params, x: judge.apply({"params": params}, x, a)
        misread = lambda params, x: weighted_mean(error(reader.apply({"params": params}, x)[0], a), counted)

        def critic_step(players, keys):
            critic, eyes = players
            *_, fake = rebuilt(own.generator.params, own.feedback.params, eyes.params, x, a, keys[0])

            def loss(params):
                apart = weighted_mean(judged(params, x) - judged(params, fake), counted)
                slopes = gradient_penalty(lambda x: judged(params, x), x, fake, keys[1])
                steep = weighted_mean(slopes, counted)
                return adversarial * (own.penalty * steep - apart), ({}, (apart, steep))

            critic, found = optim.update_player(adam, loss, critic)
            eyes, _ = optim.update_player(
                reader_adam, lambda own: (attribute_weight * misread(own, x), ({}, None)), eyes
            )
            return (critic, eyes), found

        rounds = jnp.stack([keys[:critic_steps], keys[critic_steps:-1]], 1)
        (critic, eyes), (apart, steep) = lax.scan(critic_step, (own.critic, own.reader), rounds)

        def loss(generator, eyes, looped):
            far, logits, fake = rebuilt(generator, looped, eyes, x, a, keys[-1])
            redrawing = sum(losses.cross_entropy(each, x) for each in logits) / len(logits)
            value = weighted_mean(redrawing + far - adversarial * judged(critic.params, fake), counted)
            return value + attribute_weight * misread(eyes, fake), weighted_mean(losses.squared(fake, x), counted)

        players = (own.generator, eyes, own.feedback)
        (generator, eyes, looped), lost = optim.update_players((adam, reader_adam, loop_adam), loss, players)
        weight = losses.adapted_penalty(own.penalty, parallel.mean(jnp.mean(steep)))
        return Vaegan(generator, looped, critic, eyes, weight), _metrics(lost, misread(eyes.params, x), jnp.mean(apart))

    redrawn = lambda own, z, a: drawn_from(own.generator.params, own.feedback.params, own.reader.params, z, a)
    read = lambda own, x: reader.apply({"params": own.reader.params}, x)
    return fresh, improve, redrawn, read


def _metrics(loss, misread=0.0, distance=0.0) -> dict[str, jax.Array]:
    """Of a step of any phase: what falls, the error of the attributes read, the critic's distance (0 where unknown)."""
    return {"loss": loss, "misread": jnp.float32(misread), "distance": jnp.float32(distance)}


def _check(mode: str, embedding: str, **counts: int) -> None:
    for name, value, known in (("mode", mode, MODES), ("embedding", embedding, EMBEDDINGS)):
        if value not in known:
            raise ValueError(f"settings.{name} = {value!r} is not known; use {', '.join(known)}")
    if mode == "oracle" and embedding == "real":
        raise ValueError("settings.mode = 'oracle' takes the embeddings of unseen surfaces from their images, but "
                         "settings.embedding = 'real'; use 'learned'")  # fmt: skip
    if low := [f"settings.{name} = {value}" for name, value in counts.items() if value < 1]:
        raise ValueError(f"{', '.join(low)}; give a whole number from 1 on")
