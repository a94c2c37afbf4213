"""SBAD: its losses, its phases, and what may know of unseen surfaces. Mode B, and what cannot be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxdefect.detectors import sbad
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
    batch_at,
    blobs,
    compiled,
    same,
    step_key,
    train_for,
)


def auroc(normal, odd):
    return stats.mannwhitneyu(odd, normal).statistic / (len(odd) * len(normal))


@pytest.fixture(scope="module")
def trained():
    """(detector, runs, states, losses) of mode B; a run holds its hyperparameters beside its state."""
    made = compiled()
    runs, losses = train_for(made, CE + AVERAGE + GAN)
    return made, runs, [run.state for run in runs], losses


def test_learned_embeddings_are_the_mean_codes_of_their_class(trained):
    _, _, states, _ = trained
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
    _, _, states, _ = trained
    parts = ("coder", "sums", "vaegan")
    for number, moving in ((0, "coder"), (CE - 1, "coder"), (CE, "sums"), (CE + AVERAGE, "vaegan"), (-2, "vaegan")):
        before, after = states[number], states[number + 1 if number != -2 else -1]
        assert [name for name in parts if not same(getattr(before, name), getattr(after, name))] == [moving]


def test_the_critic_is_updated_as_often_as_told_and_no_gradient_of_it_reaches_the_others(trained):
    made, runs, states, _ = trained
    before, zero = runs[CE + AVERAGE], {"learning_rate": np.float32(0), "attribute_rate": np.float32(0)}
    after, _ = made.step(before._replace(hyperparams=before.hyperparams | zero), batch_at(3), jax.random.key(0))
    assert same(before.state.vaegan.generator.params, after.state.vaegan.generator.params)
    count = lambda player: int(player.opt_state[1][0].count)
    moved = states[-1].vaegan
    assert (count(moved.generator), count(moved.critic)) == (GAN, GAN * SETTINGS["critic_steps"])
    assert count(moved.reader) == GAN * (SETTINGS["critic_steps"] + 1)


def test_surfaces_are_told_apart_and_unseen_ones_raise_the_alarm(trained):
    made, runs, _, _ = trained
    seen, surfaces = blobs(range(SEEN), 200, 1)
    unseen, _ = blobs((8, 9), 200, 2)
    of_seen, of_unseen = (made.score(runs[-1], jnp.asarray(x)) for x in (seen, unseen))
    assert np.mean(np.asarray(of_seen.surface) == surfaces) > 0.9
    assert auroc(of_seen.image, of_unseen.image) > 0.8
    assert not np.isin(of_unseen.surface, (8, 9)).any() and bool(jnp.isneginf(of_unseen.classes[:, 8:]).all())
    assert of_seen.embedding.shape == (200, LENGTH)
    np.testing.assert_array_equal(of_seen.image, -np.max(of_seen.classes, 1))


def test_features_are_reconstructed_better_in_both_phases_that_reconstruct_them(trained):
    losses = trained[-1]
    for phase in (losses[:CE], losses[CE + AVERAGE :]):
        assert np.mean(phase[-5:]) < 0.8 * np.mean(phase[:5])


def test_mode_b_knows_nothing_of_unseen_surfaces(trained):
    """With other attributes of them every phase goes from the same state to the same state."""
    made, runs, _, _ = trained
    other = compiled(attributes=OTHER)
    assert same(runs[0], other.init(batch_at(0)))
    for number in (0, CE - 1, CE, CE + AVERAGE - 1, CE + AVERAGE, CE + AVERAGE + GAN - 1):
        after, _ = other.step(runs[number], batch_at(number), step_key(number))
        assert same(runs[number + 1], after), number
    x = jnp.asarray(blobs(range(CLASSES), 200, 3)[0])
    for a, b in zip(*(jax.tree.leaves(each.score(runs[-1], x)) for each in (made, other)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_helps_mode_a_leaves_mode_b_as_it_is(trained):
    made, runs, _, _ = trained
    other = compiled(map_attributes=True, stacking_steps=5)
    assert same(runs[0], other.init(batch_at(0)))
    after, _ = other.step(runs[-2], batch_at(CE + AVERAGE + GAN - 1), step_key(CE + AVERAGE + GAN - 1))
    assert same(runs[-1], after)
    x = jnp.asarray(blobs(range(CLASSES), 50, 3)[0])
    for a, b in zip(*(jax.tree.leaves(each.score(runs[-1], x)) for each in (made, other)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "changed, remedy",
    [
        ({"mode": "C"}, "use A, B"),
        ({"mode": "A", "steps": 160}, "take 160 steps.*none for it; use a larger train.steps"),
        ({"mode": "A", "steps": 170, "stacking_steps": 10}, "take 160 steps, and that after it 10.*= 170 leaves none"),
        ({"stacking_steps": -1}, "stacking_steps = -1; give a whole number from 0 on"),
        ({"embedding": "given"}, "use learned, real"),
        ({"show_unseen": True}, "settings.mode = 'B' learns nothing of them; .*or data.show_unseen = False"),
        ({"mode": "A", "show_unseen": True, "embedding": "real"}, "use 'learned', or data.show_unseen = False"),
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
