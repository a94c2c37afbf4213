"""Nearest mean: its means, its distances, and who counts as seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.detectors import nearest_mean
from jaxdefect.training import loop
from tests.contract.steps import tiny

pytestmark = pytest.mark.drill  # Its networks take long to compile; tests/contract has it among the fast ones.

CLASSES, FEATURES = 5, 32  # of the tiny config: 2 channels, doubled four times
TABLE = {f"Class{number}": (1.0, float(number)) for number in range(CLASSES)}
DETECTOR, _ = tiny("nearest_mean", attributes=TABLE, backbone_steps=0)
STEP = loop.jit_once(parallel.on_one_device(DETECTOR.step))


def images(count=60, seed=0):
    """(features, surfaces): classes 0, 1 and 3, all of one mean and one deviation in each feature."""
    rng = np.random.default_rng(seed)
    centres, deviations = rng.normal(0, 3, (CLASSES, FEATURES)), rng.uniform(0.5, 2, FEATURES)
    surfaces = rng.choice([0, 1, 3], count).astype(np.int32)
    features = centres[surfaces] + deviations * rng.normal(size=(count, FEATURES))
    return features.astype(np.float32), surfaces


@pytest.fixture(scope="module")
def learning():
    """A detector whose backbone first learns for 2 steps."""
    return tiny("nearest_mean", attributes=TABLE, backbone_steps=2)[0]


def trained(features, surfaces, steps=3):
    state, losses = jax.jit(DETECTOR.init)(jax.random.key(0), Batch(None, features=features)), []
    for part in np.array_split(np.arange(len(features)), steps):
        batch = Batch(None, features=jnp.asarray(features[part]), surface=jnp.asarray(surfaces[part]))
        state, metrics = STEP(state, batch, jax.random.key(1))
        losses.append(float(metrics["loss"]))
    return state, losses


def test_distances_are_those_to_the_means_in_units_of_the_deviation_within_classes():
    features, surfaces = images()
    state, _ = trained(features, surfaces)
    found = DETECTOR.frozen.score(state, jnp.asarray(features[:7]))
    own = {k: features[surfaces == k].astype(np.float64) for k in (0, 1, 3)}
    deviation = np.sqrt(sum(((x - x.mean(0)) ** 2).sum(0) for x in own.values()) / len(features))
    assert deviation.min() > nearest_mean.FLOOR * deviation.mean()  # So that the floor is not what is compared.
    for k, x in own.items():
        wanted = np.sqrt(np.mean(((features[:7] - x.mean(0)) / deviation) ** 2, 1))
        np.testing.assert_allclose(-found.classes[:, k], wanted, rtol=1e-3)


def test_classes_without_images_are_no_candidates():
    features, surfaces = images()
    state, _ = trained(features, surfaces)
    found = DETECTOR.frozen.score(state, jnp.asarray(features))
    assert bool(jnp.isneginf(found.classes[:, [2, 4]]).all()) and bool(jnp.isfinite(found.classes[:, [0, 1, 3]]).all())
    np.testing.assert_array_equal(found.surface, surfaces)
    np.testing.assert_array_equal(found.image, -np.max(found.classes, 1))


def test_far_from_every_mean_is_an_alarm():
    features, surfaces = images()
    state, _ = trained(features, surfaces)
    seen, unseen = (DETECTOR.frozen.score(state, jnp.asarray(x)).image for x in (features, features[:, ::-1]))
    assert float(unseen.min()) > float(seen.max())


def test_a_feature_that_never_varied_counts_no_more_than_the_floor_allows():
    features, surfaces = images()
    features[:, 4] = 1
    state, _ = trained(features, surfaces)
    moved = features[:1].copy()
    moved[:, 4] += 0.01
    before, after = (float(DETECTOR.frozen.score(state, jnp.asarray(x)).image[0]) for x in (features[:1], moved))
    assert before < after < 1.01 * before


def test_the_loss_is_the_share_of_the_square_that_the_means_leave():
    features, surfaces = images()
    _, losses = trained(features, surfaces)
    assert losses[0] == pytest.approx(1) and max(losses[1:]) < 0.6


def test_features_of_another_backbone_are_refused():
    with pytest.raises(ValueError, match="features of 7 numbers.*makes 32"):
        trained(np.zeros((4, 7), np.float32), np.zeros(4, np.int32), 1)


def test_a_backbone_that_trains_itself_needs_images_and_surfaces(learning):
    step = lambda *args: jax.eval_shape(parallel.on_one_device(learning.step), *args)  # Traced, not compiled.
    state = jax.eval_shape(learning.init, jax.random.key(0), Batch(None))
    with pytest.raises(ValueError, match="use 0 steps with cached features"):
        step(state, Batch(None, features=jnp.zeros((4, 32)), surface=jnp.zeros(4, jnp.int32)), jax.random.key(0))
    with pytest.raises(ValueError, match="train.supervision"):
        step(state, Batch(jnp.zeros((4, 16, 16, 1))), jax.random.key(0))


def test_the_backbone_learns_first_and_is_frozen_then(learning):
    images = jax.random.uniform(jax.random.key(2), (8, 16, 16, 1))
    batch = Batch(images, surface=jnp.arange(8) % 3)
    state = loop.jit_once(learning.init)(jax.random.key(0), batch)
    step = loop.jit_once(parallel.on_one_device(learning.step))
    kernels, counts = [state.backbone.params["net"]["conv1"]["kernel"]], []
    for number in range(4):
        state, _ = step(state, batch, jax.random.key(number))
        kernels.append(state.backbone.params["net"]["conv1"]["kernel"])
        counts.append(int(state.counts.sum()))
    changed = [not np.array_equal(a, b) for a, b in zip(kernels, kernels[1:], strict=False)]
    assert changed == [True, True, False, False] and counts == [0, 0, 8, 16]


def test_only_a_backbone_that_never_learns_may_be_shared_by_runs(learning):
    assert learning.frozen is None and DETECTOR.frozen.name == "small at 16 pixels"
    images = jax.random.uniform(jax.random.key(2), (4, 16, 16, 1))
    state = jax.jit(DETECTOR.init)(jax.random.key(5), Batch(images))
    state = STEP(state, Batch(images, surface=jnp.arange(4)), jax.random.key(0))[0]
    cached = DETECTOR.frozen.score(state, DETECTOR.frozen.embed(DETECTOR.frozen.init(), images))
    for one, other in zip(*map(jax.tree.leaves, (DETECTOR.score(state, images), cached)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
