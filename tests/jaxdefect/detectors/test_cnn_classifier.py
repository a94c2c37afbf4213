"""The plain classifier: labels alone teach what is defective, of which kind, and where."""

import jax
import numpy as np
import pytest
from sklearn import metrics

from jaxdefect.detector import Batch
from tests.contract.steps import textures, tiny
from tests.jaxdefect.families.classifiers import SIDE, begun

KINDS = ("bright", "dark")


def marked(count, seed):
    """(images, kinds, places): a third each is good, has a bright spot of 8 pixels, or a dark one."""
    images = np.stack(textures(count, SIDE, seed=seed)).astype(np.float32) / 255
    places = np.random.default_rng(seed).integers(0, SIDE - 8, (count, 2))
    kinds = np.arange(count, dtype=np.int32) % 3
    for image, kind, (y, x) in zip(images, kinds, places, strict=True):
        if kind:
            image[y : y + 8, x : x + 8] = (1.0, 0.0)[kind - 1]
    return images, kinds, places


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


@pytest.mark.drill
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


def test_settings_that_cannot_be_are_refused_by_name():
    with pytest.raises(ValueError, match=r"settings\.widths = \(\)"):
        tiny("cnn_classifier", widths=())
    with pytest.raises(ValueError, match=r"settings\.size = 3 pixels; 2 blocks .*use 4 or more"):
        tiny("cnn_classifier", size=3)
