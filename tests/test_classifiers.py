"""Classifiers: labels alone teach what is defective, of which kind, and where; frozen front ends stay as they are."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logit
from sklearn import metrics

from jaxdefect import backbones, parallel
from jaxdefect.detector import Batch
from jaxdefect.training import loop
from tests.steps import apart, textures, tiny, weights
from tests.weight_files import save

SIDE = 32
KINDS = ("bright", "dark")
IMAGES = np.stack(textures(8, SIDE)).astype(np.float32) / 255
LABELS = np.arange(8, dtype=np.int32) % 2
quick = partial(jax.jit, compiler_options=loop.quick_to_compile())


def marked(count, seed):
    """(images, kinds, places): a third each is good, has a bright spot of 8 pixels, or a dark one."""
    images = np.stack(textures(count, SIDE, seed=seed)).astype(np.float32) / 255
    places = np.random.default_rng(seed).integers(0, SIDE - 8, (count, 2))
    kinds = np.arange(count, dtype=np.int32) % 3
    for image, kind, (y, x) in zip(images, kinds, places, strict=True):
        if kind:
            image[y : y + 8, x : x + 8] = (1.0, 0.0)[kind - 1]
    return images, kinds, places


def begun(name, **settings):
    """(state, step, score) of a tiny detector, compiled."""
    detector, _ = tiny(name, **settings)
    state = quick(detector.init)(jax.random.key(0), Batch(jnp.asarray(IMAGES)))
    return state, quick(parallel.on_one_device(detector.step)), quick(detector.score)


@pytest.fixture(scope="module")
def of_kinds():
    """A plain network that has seen 48 images of three classes, and its scores of 30 others."""
    state, step, score = begun("cnn_classifier", widths=(8, 16), kinds=KINDS, learning_rate=1e-2)
    images, kinds, _ = marked(48, seed=0)
    for number in range(60):
        chosen = np.random.default_rng(number).permutation(48)[:24]
        state, _ = step(state, Batch(images[chosen], kind=kinds[chosen]), jax.random.key(number))
    images, kinds, places = marked(30, seed=1)
    return score(state, images), kinds, places


def test_kinds_of_defects_are_told_apart_on_images_never_seen(of_kinds):
    scores, kinds, _ = of_kinds
    assert scores.kinds.shape == (30, 3)
    assert metrics.accuracy_score(kinds, scores.kinds.argmax(-1)) > 0.9
    assert metrics.roc_auc_score(kinds > 0, scores.image) > 0.95


def test_the_likelihoods_of_kinds_sum_to_one_and_the_score_is_that_of_not_being_good(of_kinds):
    scores, *_ = of_kinds
    np.testing.assert_allclose(scores.kinds.sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(scores.image, 1 - scores.kinds[:, 0], atol=1e-6)


def test_the_map_shows_where_a_defect_is_though_no_mask_was_ever_seen(of_kinds):
    scores, kinds, places = of_kinds
    tops = np.stack(np.unravel_index(np.asarray(scores.map).reshape(30, -1).argmax(-1), (SIDE, SIDE)), -1)
    inside = ((tops >= places - 4) & (tops < places + 12)).all(-1)  # The map has a value for each 4 x 4 pixels.
    assert inside[kinds > 0].mean() > 0.8
    assert inside[kinds == 0].mean() < 0.5


@pytest.mark.parametrize("name", ["cnn_classifier", "resnet_classifier"])
def test_the_mean_of_the_map_is_the_log_odds_of_the_score(name):
    state, _, score = begun(name)
    scores = score(state, IMAGES)
    assert np.ptp(scores.map) > 0.01 and scores.kinds is None
    np.testing.assert_allclose(scores.map.mean((1, 2)), logit(scores.image), rtol=1e-3, atol=1e-4)


def test_the_map_is_the_head_applied_to_the_last_map_of_the_front_end():
    state, _, score = begun("resnet_classifier", frozen=True, size=64)
    front = backbones.load("small", width=2)
    last = np.asarray(backbones.maps(front, state.front, IMAGES)[-1])  # [8, 2, 2, 32]
    kernel = np.asarray(state.network.params["head"]["kernel"])
    expected = last @ (kernel[:, 1] - kernel[:, 0])
    shown = np.asarray(score(state, IMAGES).map)
    corners = shown[:, :: SIDE - 1, :: SIDE - 1]  # A bilinear enlargement leaves the values in the corners.
    np.testing.assert_allclose(corners, expected, rtol=1e-3, atol=1e-4)


def test_the_loss_and_accuracy_of_a_step_are_those_of_its_scores():
    state, step, score = begun("resnet_classifier", frozen=True)
    likely = np.asarray(score(state, IMAGES).image)
    _, found = step(state, Batch(IMAGES, label=LABELS), jax.random.key(1))
    assert found["loss"] == pytest.approx(metrics.log_loss(LABELS, likely), rel=1e-4)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(LABELS, likely > 0.5))


def test_a_frozen_front_end_stays_and_a_fine_tuned_one_learns():
    batch = Batch(IMAGES, label=LABELS)
    frozen, step, _ = begun("resnet_classifier", frozen=True)
    after, _ = step(frozen, batch, jax.random.key(1))
    assert set(frozen.network.params) == {"head"} and apart(frozen, after) > 0
    assert all(np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (frozen.front, after.front)), strict=True))
    tuned, step, _ = begun("resnet_classifier", frozen=False)
    before, after = weights(tuned), weights(step(tuned, batch, jax.random.key(1))[0])
    for part in (".network.params['front']['conv1']", ".network.batch_stats['front']['bn1']"):
        assert any(not np.array_equal(before[name], after[name]) for name in before if name.startswith(part))


def test_the_front_end_comes_from_the_file_of_weights(tmp_path):
    draw = quick(partial(backbones.init, backbones.load("small")))
    drawn = jax.device_get(draw(jax.random.key(7)))
    arrays = {}
    for number in range(1, 6):
        arrays[f"conv{number}.weight"] = drawn["params"][f"conv{number}"]["kernel"].transpose(3, 2, 0, 1).copy()
        own = drawn["params"][f"bn{number}"] | drawn["batch_stats"][f"bn{number}"]
        names = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
        arrays |= {f"bn{number}.{names[key]}": value for key, value in own.items()}
    file = str(save(tmp_path / "net.safetensors", arrays))
    state, *_ = begun("resnet_classifier", weights=file, width=16, frozen=True)
    np.testing.assert_array_equal(state.front["params"]["conv3"]["kernel"], drawn["params"]["conv3"]["kernel"])
    with pytest.raises(FileNotFoundError, match="no file of weights at"):
        begun("resnet_classifier", weights=file + ".h5", width=16)


def test_the_learning_rate_falls_after_so_many_steps():
    state, step, _ = begun("resnet_classifier", frozen=True, decay=0.0, decay_every=2)
    states = [state]
    for _ in range(3):
        states.append(step(states[-1], Batch(IMAGES, label=LABELS), jax.random.key(1))[0])
    moved = [apart(one, other) for one, other in zip(states, states[1:], strict=False)]
    assert moved[0] > 0 and moved[1] > 0 and moved[2] == 0


def test_what_cannot_be_is_refused_by_name():
    for settings, message in (
        ({"kinds": KINDS}, r"the batch has no kind; .*set train\.labels = 'kinds'"),
        ({}, r"the batch has no label; .*set train\.labels = 'masks'"),
    ):
        detector, _ = tiny("cnn_classifier", **settings)
        with pytest.raises(ValueError, match=message):
            detector.step(None, Batch(IMAGES), jax.random.key(0))
    for name, settings, message in (
        ("cnn_classifier", {"widths": ()}, r"settings\.widths = \(\)"),
        ("cnn_classifier", {"size": 3}, r"settings\.size = 3 pixels; 2 blocks .*use 4 or more"),
        ("cnn_classifier", {"decay_every": 0}, r"settings\.decay_every = 0 steps"),
        ("resnet_classifier", {"size": 16}, r"settings\.size = 16 pixels; .*less than 32"),
    ):
        with pytest.raises(ValueError, match=message):
            tiny(name, **settings)
