"""SBAD: a VAEGAN that tells surfaces apart by their attributes and raises an alarm for surfaces it has never seen.

A frozen backbone makes features of an image. First a VAE learns what code of attributes each seen surface really has
(learned class embeddings, CE). Then a VAEGAN reconstructs features from a code and the CE, and a second encoder reads
the CE off features, real and reconstructed. The phases are told apart by a step count: the backbone trains itself
(backbone_steps), CE-VAE (ce_steps), average of its codes (average_steps), VAEGAN (gan_steps), classifier (the rest, but
for stacking_steps).

Two modes say what stands for surfaces without training images. B, the one that can be deployed: nothing; the alarm
is the distance of the attributes read from those of the nearest seen class. A: their attributes, after training, from
which the decoder draws features that a classifier then learns from. With data.show_unseen, which leaks, mode A learns
these attributes from images of the unseen surfaces, those with label 1, which take no part in anything else.

Left as it learned, the classifier of mode A seldom names unseen surfaces, though it ranks them well. Two remedies are
ours: map_attributes puts attributes of unseen surfaces where learned ones lie, and stacking_steps sets the classifier's
bias to seen surfaces right. Both ask nothing of an image of an unseen surface.

Use it where many surfaces run on one line and one never seen must raise an alarm; with tf_vaegan to reproduce its
baseline, in which what is read of reconstructed features is fed back into the decoder.

Source: the two-stage system of DAGM_MIX, Sections 3.1.2 and 3.2; losses and baseline of Narayan, Gupta, Khan, Snoek,
Shao, "Latent Embedding Feedback and Discriminative Features for Zero-Shot Classification" (TF-VAEGAN), ECCV 2020.
"""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxdefect import parallel
from jaxdefect.backbones.trainable import extractor
from jaxdefect.detector import Batch, Detector, Scores
from jaxdefect.networks.blocks import l2_normalize
from jaxdefect.parallel import weighted_mean
from jaxdefect.training import optim
from jaxdefect.training.optim import Player
from jaxdefect.zero_shot import attribute_map, class_embeddings, code_vae, feature_range, losses, stacking
from jaxdefect.zero_shot.feature_range import Range
from jaxdefect.zero_shot.vaegan import Networks, vaegan

MODES, EMBEDDINGS = ("A", "B"), ("learned", "real")


class State(NamedTuple):
    backbone: Player
    span: Range  # of each feature
    coder: Player  # the VAE that learns class embeddings
    sums: jax.Array  # [K, A] of its codes of the images of each class
    counts: jax.Array  # [K] of them
    seen: jax.Array  # [K] of them, without those of unseen surfaces; a class is seen where this is not 0
    vaegan: Networks
    classifier: Player
    margins: jax.Array | tuple  # histogram of the classifier's margins, where these are gathered
    step: jax.Array  # taken so far, int32: it says which phase this is


def make(
    *,
    attributes: dict | tuple,
    show_unseen: bool,
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
    stacking_steps: int,
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
    map_attributes: bool,
    ridge: float,
    stacking_share: float,
) -> Detector:
    """SBAD. Floats may be tracers.

    attributes: {class: (A numbers)} or pairs of the two, of K classes; Batch.surface counts in this order. show_unseen:
    batches hold images of unseen surfaces, with label 1. mode: A or B. embedding: learned, or real (the attributes as
    they are given; there is no CE-VAE then). tf_vaegan: TF-VAEGAN in place of SBAD: the error of attributes, which have
    unit length when read, is L1, what is read is fed back into the decoder, and the classifier sees what is read, too.
    hidden: units of the networks' one hidden layer (4096); ce_hidden: of the CE-VAE's (1024). backbone, its width,
    size, steps and rate, weights: see `extractor`; a state has the same shape with a file of weights and without, so
    restoring one needs no file. steps: of the whole training. gan_steps: in mode B this phase lasts to the end.
    critic_steps: each of these updates sees the whole batch and reconstructs it with new noise (5). Rates: of Adam;
    attribute_rate: Encoder-2's. attribute_weight: of its error beside the VAE's loss (w_r). adversarial: weight of the
    critic (10); penalty: the first weight of its gradient penalty, which adapts (10).

    Ours, for mode A: map_attributes: with learned embeddings, those of unseen surfaces are their attributes mapped to
    where the learned ones of seen surfaces lie, with a penalty of `ridge` (see `attribute_map`). stacking_steps: so
    many last steps gather margins of training images of seen surfaces in place of learning, and calibrated stacking
    takes off so much that a share of stacking_share of them would be named unseen (see `stacking`); 0 leaves it out.
    """
    table = jnp.asarray(class_embeddings.embedding_table(attributes))
    (classes, length), learned = table.shape, embedding == "learned"
    _check(
        mode, embedding, show_unseen, stacking_steps, hidden=hidden, ce_hidden=ce_hidden, ce_steps=ce_steps,
        average_steps=average_steps, gan_steps=gan_steps, critic_steps=critic_steps,
    )  # fmt: skip
    extract = extractor(
        backbone=backbone, width=backbone_width, size=backbone_size, file=weights,
        steps=backbone_steps, rate=backbone_rate, classes=classes,
    )  # fmt: skip
    coder = code_vae.code_vae(table, features=extract.count, hidden=ce_hidden, rate=ce_rate)
    gan = vaegan(
        length=length, features=extract.count, hidden=hidden, tf_vaegan=tf_vaegan, critic_steps=critic_steps,
        attribute_weight=attribute_weight, adversarial=adversarial, penalty=penalty, feedback=feedback,
        rates=(learning_rate, attribute_rate, feedback_rate),
    )  # fmt: skip
    adam, stacked = optim.adam(classifier_rate, b1=0.5), mode != "B" and stacking_steps > 0

    def init(key: jax.Array, batch: Batch) -> State:
        del batch  # All shapes come from the settings.
        keys = jax.random.split(key, 3)
        seen, inputs = jnp.zeros(classes), extract.count + (length + hidden if tf_vaegan else 0)
        linear = {"kernel": jnp.zeros((inputs, classes)), "bias": jnp.zeros(classes)} if mode != "B" else {}
        return State(
            extract.init(keys[0]), feature_range.empty_range(extract.count),
            coder.init(keys[1]) if learned else Player({}, {}, ()),
            jnp.zeros((classes, length)), seen, seen,
            gan.init(keys[2]), optim.init_player(adam, {"params": linear}),
            stacking.empty_margins() if stacked else (), jnp.zeros((), jnp.int32),
        )  # fmt: skip

    def embeddings(state: State) -> jax.Array:
        """[K, A] of unit length: learned ones where there were codes to average, else the table's rows."""
        mean = l2_normalize(state.sums / jnp.maximum(state.counts, 1)[:, None])
        return jnp.where(state.counts[:, None] > 0, mean, table) if learned else table

    def drawn_from(state: State) -> jax.Array:
        """[K, A] that features are drawn from: the embeddings, or what attributes without codes are mapped to."""
        known = embeddings(state)
        if not (learned and map_attributes):
            return known
        mapped = attribute_map.map_attributes(table, known, state.seen > 0, ridge)
        return jnp.where(state.counts[:, None] > 0, known, mapped)

    def backbone_step(state: State, batch: Batch, x, counted, key):
        trained, loss = extract.learn(state.backbone, batch, counted)
        return state._replace(backbone=trained), _metrics(loss)

    def ce_step(state: State, batch: Batch, x, counted, key):
        trained, loss = coder.learn(state.coder, x, batch.surface, counted, key)
        return state._replace(coder=trained), _metrics(loss)

    def average_step(state: State, batch: Batch, x, counted, key):
        """Sums up codes per class. Here alone images of unseen surfaces take part, where they are shown."""
        total = lambda values: class_embeddings.sum_by_class(values, batch.surface, classes)
        counts, seen = total(jnp.ones_like(counted)), total(counted)
        state = state._replace(counts=state.counts + counts, seen=state.seen + seen)
        if not learned:  # Nothing is reconstructed: the error is that of grey, or of images that are NaN.
            return state, _metrics(weighted_mean(losses.squared(0.5, x), counted))
        mean, logits = coder.codes(state.coder, x, key)
        error = losses.squared(jax.nn.sigmoid(logits), x)
        return state._replace(sums=state.sums + total(mean)), _metrics(weighted_mean(error, counted))

    def gan_step(state: State, batch: Batch, x, counted, key):
        networks, measured = gan.learn(state.vaegan, x, embeddings(state)[batch.surface], counted, key)
        return state._replace(vaegan=networks), _metrics(*measured)

    def logits_of(state: State, params, x):
        """[B, K] of the classifier: of features alone, for TF-VAEGAN also of what is read of them and hidden."""
        read = gan.read(state.vaegan, x) if tf_vaegan else ()
        return jnp.concatenate([x, *read], -1) @ params["kernel"] + params["bias"]

    def classifier_step(state: State, batch: Batch, x, counted, key):
        """Learns from the batch, and as many features drawn from noise and the attributes of unseen classes."""
        keys = jax.vmap(jax.random.split)(parallel.sample_keys(key, len(x)))
        unseen = (state.seen == 0).astype(jnp.float32)
        which = jax.vmap(lambda key: jax.random.categorical(key, jnp.log(unseen + 1e-9)))(keys[:, 0])
        z = jax.vmap(lambda key: jax.random.normal(key, (length,)))(keys[:, 1])
        fake = jax.nn.sigmoid(gan.draw(state.vaegan, z, drawn_from(state)[which])[-1])
        share = jnp.sum(unseen) / jnp.maximum(jnp.sum(1 - unseen), 1)  # So every class weighs the same.
        errors = optax.softmax_cross_entropy_with_integer_labels

        def loss(params):
            real_error = weighted_mean(errors(logits_of(state, params, x), batch.surface), counted)
            value = (real_error + share * jnp.mean(errors(logits_of(state, params, fake), which))) / (1 + share)
            return value, ({}, value)

        classifier, value = optim.update_player(adam, loss, state.classifier)
        return state._replace(classifier=classifier), _metrics(value)

    def margin_step(state: State, batch: Batch, x, counted, key):
        """Learns nothing more: gathers by how much the classifier prefers seen surfaces."""
        logits = logits_of(state, state.classifier.params, x)
        error = optax.softmax_cross_entropy_with_integer_labels(logits, batch.surface)
        margins = stacking.count_margins(state.margins, logits, state.seen > 0, counted)
        return state._replace(margins=margins), _metrics(weighted_mean(error, counted))

    lasting = [(backbone_step, backbone_steps), (ce_step, ce_steps * learned), (average_step, average_steps)]
    lasting = [phase for phase in (*lasting, (gan_step, gan_steps * (mode != "B"))) if phase[1]]
    phases = [phase for phase, _ in lasting] + [gan_step if mode == "B" else classifier_step]
    ends = list(itertools.accumulate(count for _, count in lasting))
    if ends[-1] + stacking_steps * stacked >= steps:
        last = "VAEGAN" if mode == "B" else "classifier"
        after = f", and that after it {stacking_steps}" if stacked else ""
        raise ValueError(f"the phases before that of the {last} take {ends[-1]} steps{after}, so that train.steps = "
                         f"{steps} leaves none for it; use a larger train.steps")  # fmt: skip
    if stacked:
        phases, ends = [*phases, margin_step], [*ends, steps - stacking_steps]

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        class_embeddings.check_surfaces(batch)
        features = extract.batch_features(state.backbone, batch)
        counted = jnp.ones(len(features))
        if show_unseen and batch.label is not None:
            counted = jnp.where(batch.label == 1, 0.0, counted)
        frozen = state.step >= backbone_steps  # Until then features are not what they will be.
        state = state._replace(span=feature_range.widen_range(state.span, features, counted * frozen))
        phase = jnp.sum(state.step >= jnp.asarray(ends, jnp.int32))
        x = feature_range.scale_to_range(state.span, features)
        state, metrics = lax.switch(phase, phases, state, batch, x, counted, key)
        return state._replace(step=state.step + 1), metrics

    def score_features(state: State, features: jax.Array) -> Scores:
        x = feature_range.scale_to_range(state.span, features)
        read, _ = gan.read(state.vaegan, x)
        if mode == "B":
            fits = -jnp.where(state.seen > 0, losses.squared(read[:, None], embeddings(state)), jnp.inf)
            alarm = -jnp.max(fits, -1)
        else:
            logits = logits_of(state, state.classifier.params, x)
            if stacked:
                logits -= jnp.where(state.seen > 0, stacking.gamma(state.margins, stacking_share), 0)
            fits = jax.nn.log_softmax(logits)
            alarm = jnp.sum(jnp.where(state.seen > 0, 0, jnp.exp(fits)), -1)
        return Scores(alarm, surface=jnp.argmax(fits, -1).astype(jnp.int32), classes=fits, embedding=read)

    def score(state: State, images: jax.Array) -> Scores:
        return score_features(state, extract.features(state.backbone, images))

    return Detector(init, step, score, frozen=extract.frozen(score_features))


def _metrics(loss, misread=0.0, distance=0.0) -> dict[str, jax.Array]:
    """Of a step of any phase: what falls, the error of the attributes read, the critic's distance (0 elsewhere)."""
    return {"loss": loss, "misread": jnp.float32(misread), "distance": jnp.float32(distance)}


def _check(mode: str, embedding: str, show_unseen: bool, stacking_steps: int, **counts: int) -> None:
    for name, value, choices in (("mode", mode, MODES), ("embedding", embedding, EMBEDDINGS)):
        if value not in choices:
            raise ValueError(f"settings.{name} = {value!r} is not known; use {', '.join(choices)}")
    if show_unseen and mode == "B":
        raise ValueError("data.show_unseen = True shows images of unseen surfaces, but settings.mode = 'B' learns "
                         "nothing of them; use settings.mode = 'A', or data.show_unseen = False")  # fmt: skip
    if show_unseen and embedding == "real":
        raise ValueError("data.show_unseen = True takes the embeddings of unseen surfaces from their images, but "
                         "settings.embedding = 'real'; use 'learned', or data.show_unseen = False")  # fmt: skip
    if stacking_steps < 0:
        raise ValueError(f"settings.stacking_steps = {stacking_steps}; give a whole number from 0 on")
    if low := [f"settings.{name} = {value}" for name, value in counts.items() if value < 1]:
        raise ValueError(f"{', '.join(low)}; give a whole number from 1 on")
