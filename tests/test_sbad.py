"""SBAD: its losses, its phases, what may know of unseen surfaces, and the table of attributes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from configs.attributes import DAGM, read_attributes
from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.detectors import sbad, tf_vaegan
from jaxdefect.losses.adversarial import gradient_penalty, kl
from jaxdefect.training import loop
from jaxdefect.zero_shot import feature_range, networks
from launch.command import configuration as configs
from tests.steps import weights

CLASSES, LENGTH, FEATURES = 10, 6, 32
SEEN = 8  # classes 0 to 7; there are no training images of 8 and 9
CE, AVERAGE, GAN = 60, 10, 90  # steps of the phases
RNG = np.random.default_rng(0)
TABLE = {f"Class{k}": tuple(float(x) for x in RNG.uniform(0, 1, LENGTH)) for k in range(CLASSES)}
OTHER = TABLE | {f"Class{k}": tuple(float(x) for x in RNG.uniform(0, 1, LENGTH)) for k in (8, 9)}
CENTRES = RNG.uniform(0, 4, (CLASSES, FEATURES))
SETTINGS = configs.get("sbad", "tiny").settings.to_dict() | {
    "steps": 1000, "attributes": TABLE, "backbone_steps": 0, "ce_steps": CE, "average_steps": AVERAGE, "gan_steps": GAN,
    "hidden": 32, "ce_hidden": 32, "critic_steps": 2, "learning_rate": 1e-2, "attribute_rate": 1e-2, "ce_rate": 1e-2,
}  # fmt: skip


def blobs(classes, count, seed):
    """(features [count, F], surfaces [count]) around the centre of each class."""
    rng = np.random.default_rng(seed)
    surfaces = rng.choice(np.asarray(classes), count).astype(np.int32)
    return (CENTRES[surfaces] + rng.normal(0, 0.4, (count, FEATURES))).astype(np.float32), surfaces


def batch_at(number, classes=range(SEEN), size=64):
    features, surfaces = blobs(classes, size, 100 + number)
    return Batch(
        None,
        features=jnp.asarray(features),
        surface=jnp.asarray(surfaces),
        label=jnp.asarray(surfaces >= SEEN, jnp.int32),
    )


def compiled(detector):
    return jax.jit(parallel.on_one_device(detector.step), compiler_options=loop.quick_to_compile())


def train_for(detector, steps, classes=range(SEEN)):
    """The state after each step, the first before any, on the host; and the losses."""
    step = compiled(detector)
    state = jax.jit(detector.init, compiler_options=loop.quick_to_compile())(jax.random.key(0), batch_at(0))
    states, losses = [jax.device_get(state)], []
    for number in range(steps):
        state, metrics = step(state, batch_at(number, classes), jax.random.fold_in(jax.random.key(1), number))
        states.append(jax.device_get(state))
        losses.append(float(metrics["loss"]))
    return states, losses


def auroc(normal, odd):
    return stats.mannwhitneyu(odd, normal).statistic / (len(odd) * len(normal))


def same(one, other):
    one, other = weights(one), weights(other)
    return all(np.array_equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def trained():
    """(detector, states, losses) of mode B."""
    detector = sbad.make(**SETTINGS)
    return detector, *train_for(detector, CE + AVERAGE + GAN)


@pytest.mark.parametrize("mean, log_variance, centre", [(0.3, -1.0, -0.5), (2.0, 0.7, 2.0), (-1.0, 0.0, 1.5)])
def test_the_divergence_equals_its_integral(mean, log_variance, centre):
    one, other = stats.norm(mean, np.exp(log_variance / 2)), stats.norm(centre, 1)
    wanted, _ = integrate.quad(lambda z: one.pdf(z) * (one.logpdf(z) - other.logpdf(z)), -12, 12)
    found = kl(jnp.full((1, 3), mean), jnp.full((1, 3), log_variance), jnp.full((1, 3), centre))
    np.testing.assert_allclose(found, [3 * wanted], rtol=1e-4, atol=1e-6)


def test_the_penalty_is_that_of_the_slope():
    slope = jnp.asarray([3.0, 4.0])
    x = jax.random.normal(jax.random.key(0), (5, 2))
    found = gradient_penalty(lambda x: x @ slope, x, -x, jax.random.split(jax.random.key(1), 5))
    np.testing.assert_allclose(found, np.full(5, (5 - 1) ** 2), rtol=1e-5)


def test_features_are_scaled_by_the_range_of_those_that_count():
    x = jnp.asarray([[1.0, 5.0, 2.0], [3.0, 5.0, 4.0], [9.0, 9.0, 9.0]])
    widen = parallel.on_one_device(feature_range.widen_range)
    span = widen(feature_range.empty_range(3), x, jnp.asarray([1.0, 1.0, 0.0]))
    np.testing.assert_array_equal(span.low, [1, 5, 2])
    np.testing.assert_array_equal(span.high, [3, 5, 4])
    np.testing.assert_allclose(feature_range.scale_to_range(span, x), [[0, 0, 0], [1, 0, 1], [1, 1, 1]])
    assert bool(jnp.isnan(feature_range.scale_to_range(span, x.at[0, 1].set(jnp.nan))[0, 1]))


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


def test_the_baseline_reads_attributes_of_unit_length_and_learns_what_to_feed_back():
    settings = SETTINGS | {"ce_steps": 1, "average_steps": 2}
    del settings["tf_vaegan"]
    detector = tf_vaegan.make(**settings)
    (_, _, _, before, after), _ = train_for(detector, 4)
    assert not same(before.vaegan.feedback.params, after.vaegan.feedback.params)
    found = jax.jit(detector.score)(after, jnp.asarray(blobs(range(SEEN), 5, 3)[0]))
    np.testing.assert_allclose(np.linalg.norm(found.embedding, axis=1), 1, rtol=1e-5)


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


def test_the_table_of_dagm_is_that_of_ten_classes_and_29_attributes():
    names, rows = read_attributes(DAGM)
    assert list(rows) == [f"Class{k}" for k in range(1, 11)] and len(names) == 29
    assert rows["Class5"][names.index("defect shape: irregular ellipse stain")] == 0.5
    assert rows["Class9"][names.index("defect area: small")] == 0.7
    parts = ("defect shape", "defect reason", "defect distribution")
    for row in rows.values():  # Every class has some of each.
        assert all(
            any(value for name, value in zip(names, row, strict=True) if name.startswith(part)) for part in parts
        )


@pytest.mark.parametrize(
    "text, told",
    [
        ("class,white,black\nA,1,0\n,0,1\n", "line 3 has no class"),
        ("class,white,black\nA,1,0\nA,0,1\n", "line 3: class 'A' is there twice"),
        ("class,white,black\nA,1\n", "line 2: class 'A' has 2 columns where the header has 3"),
        ("class,white,black\nA,1,nan\n", "line 2, column 'black' is 'nan'"),
        ("class,white,black\nA,inf,0\n", "line 2, column 'white' is 'inf'"),
        ("class,white,black\nA,1,much\n", "line 2, column 'black' is 'much'"),
        ("class,white,black\nA.1,1,0\n", "class 'A.1' has a dot"),
        ("class,white,white\nA,1,0\n", "each once"),
        ("name,white\nA,1\n", "name them 'class'"),
        ("class,white\n", "no classes"),
    ],
)
def test_a_broken_table_is_refused_with_its_place(text, told, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=told) as error:
        read_attributes(path)
    assert str(path) in str(error.value)
