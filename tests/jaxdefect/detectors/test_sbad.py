"""SBAD: its losses, its phases, and what may know of unseen surfaces."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxdefect.detector import Batch
from jaxdefect.detectors import sbad
from jaxdefect.training import loop
from jaxdefect.zero_shot import feature_range, networks
from tests.jaxdefect.detectors.unseen_surfaces import (
    AVERAGE,
    CE,
    CLASSES,
    GAN,
    LENGTH,
    OTHER,
    SEEN,
    SETTINGS,
    TABLE,
    batch_at,
    blobs,
    compiled,
    same,
    train_for,
)


def auroc(normal, odd):
    return stats.mannwhitneyu(odd, normal).statistic / (len(odd) * len(normal))


@pytest.fixture(scope="module")
def trained():
    """(detector, states, losses) of mode B."""
    detector = sbad.make(**SETTINGS)
    return detector, *train_for(detector, CE + AVERAGE + GAN)


def test_learned_embeddings_are_the_mean_codes_of_their_class(trained):
    _, states, _ = trained
    encoder = networks.Encoder(SETTINGS["ce_hidden"], LENGTH)
    sums = np.zeros((CLASSES, LENGTH))
    for number in range(CE, CE + AVERAGE):
        batch, span = batch_at(number), states[number + 1].span
        x = feature_range.scale_to_range(span, batch.features)
        mean, _ = encoder.apply({"params": states[CE].coder.params["encoder"]}, x)
        np.add.at(sums, np.asarray(batch.surface), np.asarray(mean, np.float64))
    after = states[CE + AVERAGE]
    np.testing.assert_allclose(after.sums, sums, rtol=1e-4, atol=1e-4)
    assert after.counts.sum() == AVERAGE * 64 and list(after.seen > 0) == [True] * SEEN + [False] * 2
    assert np.array_equal(states[-1].sums, after.sums)  # No later phase adds to them.


def test_each_phase_moves_its_own_networks_alone(trained):
    _, states, _ = trained
    parts = ("coder", "sums", "vaegan")
    for number, moving in ((0, "coder"), (CE - 1, "coder"), (CE, "sums"), (CE + AVERAGE, "vaegan"), (-2, "vaegan")):
        before, after = states[number], states[number + 1 if number != -2 else -1]
        assert [name for name in parts if not same(getattr(before, name), getattr(after, name))] == [moving]


def test_the_critic_is_updated_as_often_as_told_and_no_gradient_of_it_reaches_the_others(trained):
    _, states, _ = trained
    before, batch = states[CE + AVERAGE], batch_at(3)
    frozen = sbad.make(**SETTINGS | {"learning_rate": 0.0, "attribute_rate": 0.0})
    step = compiled(frozen)
    after, _ = step(before, batch, jax.random.key(0))
    assert same(before.vaegan.generator.params, after.vaegan.generator.params)
    count = lambda player: int(player.opt_state[1][0].count)
    moved = states[-1].vaegan
    assert (count(moved.generator), count(moved.critic)) == (GAN, GAN * SETTINGS["critic_steps"])
    assert count(moved.reader) == GAN * (SETTINGS["critic_steps"] + 1)


def test_surfaces_are_told_apart_and_unseen_ones_raise_the_alarm(trained):
    detector, states, _ = trained
    score = jax.jit(detector.score)
    seen, surfaces = blobs(range(SEEN), 200, 1)
    unseen, _ = blobs((8, 9), 100, 2)
    of_seen, of_unseen = score(states[-1], jnp.asarray(seen)), score(states[-1], jnp.asarray(unseen))
    assert np.mean(np.asarray(of_seen.surface) == surfaces) > 0.9
    assert auroc(of_seen.image, of_unseen.image) > 0.8
    assert not np.isin(of_unseen.surface, (8, 9)).any() and bool(jnp.isneginf(of_unseen.classes[:, 8:]).all())
    assert of_seen.embedding.shape == (200, LENGTH)
    np.testing.assert_array_equal(of_seen.image, -np.max(of_seen.classes, 1))


def test_features_are_redrawn_better_in_both_phases_that_redraw_them(trained):
    _, _, losses = trained
    for phase in (losses[:CE], losses[CE + AVERAGE :]):
        assert np.mean(phase[-5:]) < 0.8 * np.mean(phase[:5])


def test_mode_b_knows_nothing_of_unseen_surfaces():
    short = {"ce_steps": 3, "average_steps": 4}
    one, other = (sbad.make(**SETTINGS | short | {"attributes": table}) for table in (TABLE, OTHER))
    first, second = (train_for(detector, 10)[0][-1] for detector in (one, other))
    assert same(first, second)
    x = jnp.asarray(blobs(range(CLASSES), 20, 3)[0])
    for a, b in zip(
        *(jax.tree.leaves(jax.jit(d.score)(s, x)) for d, s in ((one, first), (other, second))), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_mode_a_learns_unseen_surfaces_from_their_attributes():
    settings = SETTINGS | {"mode": "A", "ce_steps": 3, "average_steps": 4, "gan_steps": 3, "classifier_rate": 3e-2}
    one, other = (sbad.make(**settings | {"attributes": table}) for table in (TABLE, OTHER))
    (*_, before, first), (*_, second) = train_for(one, 11)[0], train_for(other, 11)[0]
    assert same(first.vaegan, second.vaegan) and not same(first.classifier, second.classifier)
    assert same(before.vaegan, first.vaegan) and not same(before.classifier, first.classifier)
    x = jnp.asarray(blobs(range(CLASSES), 20, 3)[0])
    found = jax.jit(one.score)(first, x)
    likely = np.exp(found.classes)
    np.testing.assert_allclose(likely.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.image, likely[:, 8:].sum(1), rtol=1e-5)


def test_the_oracle_learns_embeddings_of_unseen_surfaces_and_nothing_else_of_them():
    short = {"mode": "oracle", "ce_steps": 3, "average_steps": 4, "gan_steps": 3}
    detector = sbad.make(**SETTINGS | short)
    state = train_for(detector, 7, classes=range(CLASSES))[0][-1]
    assert (state.counts > 0).all() and list(state.seen > 0) == [True] * SEEN + [False] * 2
    step = compiled(detector)
    batch = batch_at(1, range(CLASSES))
    hidden = jnp.where(batch.label[:, None] == 1, 3.0, batch.features)
    for number in (0, 7, 10):  # CE-VAE, VAEGAN and classifier; in between is the average.
        at = state._replace(step=jnp.asarray(number, jnp.int32))
        one, other = (step(at, batch._replace(features=x), jax.random.key(0)) for x in (batch.features, hidden))
        assert same(one, other)
    at = state._replace(step=jnp.asarray(4, jnp.int32))
    one, other = (step(at, batch._replace(features=x), jax.random.key(0))[0] for x in (batch.features, hidden))
    assert np.array_equal(one.sums[:SEEN], other.sums[:SEEN]) and not np.array_equal(one.sums[SEEN:], other.sums[SEEN:])


def test_images_that_are_no_numbers_show_in_the_loss_of_every_phase():
    detector = sbad.make(
        **SETTINGS | {"mode": "A", "backbone_steps": 1, "ce_steps": 1, "average_steps": 1, "gan_steps": 1}
    )
    step = compiled(detector)
    batch = Batch(jnp.ones((4, 16, 16, 1)).at[1, 2, 3].set(jnp.nan), surface=jnp.arange(4))
    state = jax.jit(detector.init, compiler_options=loop.quick_to_compile())(jax.random.key(0), batch)
    for phase in range(5):
        _, metrics = step(state._replace(step=jnp.asarray(phase, jnp.int32)), batch, jax.random.key(0))
        assert np.isnan(metrics["loss"]), phase


@pytest.mark.parametrize(
    "changed, remedy",
    [
        ({"mode": "C"}, "use A, B, oracle"),
        ({"mode": "A", "steps": 160}, "take 160 steps.*none for it; use a larger train.steps"),
        ({"embedding": "given"}, "use learned, real"),
        ({"mode": "oracle", "embedding": "real"}, "use 'learned'"),
        ({"ce_steps": 0}, "ce_steps = 0; give a whole number from 1 on"),
        ({"attributes": {"a": (1.0,), "b": (1.0, 2.0)}}, "class 'b' has 2 attributes"),
        ({"attributes": {"a": (1.0, 0.0), "b": (0.0, 0.0)}}, "at least one is not 0"),
        ({"attributes": (("a", (1.0,)), ("a", (2.0,)))}, "each class exactly one row"),
        ({"backbone_size": 0}, "at least a pixel"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_a_remedy(changed, remedy):
    with pytest.raises(ValueError, match=remedy):
        sbad.make(**SETTINGS | changed)
