"""What classifiers share: the loss they descend, the probabilities they give, and a map that is the head at each place.

Of two front ends: a plain network that learns, and a backbone that is frozen.
"""

import jax
import numpy as np
import pytest
from scipy.special import logit
from sklearn import metrics

from jaxdefect import backbones
from jaxdefect.detector import Batch
from tests.contract.steps import apart, tiny
from tests.jaxdefect.families.classifiers import IMAGES, LABELS, SIDE, begun


@pytest.fixture(scope="module")
def frozen():
    """(state, step, score) on a frozen front end that looks at 64 pixels, which learns in its first two steps only."""
    return begun("resnet_classifier", frozen=True, size=64, decay=0.0, decay_every=2)


@pytest.fixture(scope="module", params=["cnn_classifier", "resnet_classifier"])
def scores(request, frozen):
    """Of a state before any step."""
    state, _, score = begun(request.param) if request.param == "cnn_classifier" else frozen
    return score(state, IMAGES)


def test_the_mean_of_the_map_is_the_log_odds_of_the_score(scores):
    assert np.ptp(scores.map) > 0.01 and scores.kinds is None
    np.testing.assert_allclose(scores.map.mean((1, 2)), logit(scores.image), rtol=1e-3, atol=1e-4)


def test_the_map_is_the_head_applied_to_the_last_map_of_the_front_end(frozen):
    state, _, score = frozen
    front = backbones.load("small", width=2)
    last = np.asarray(backbones.maps(front, state.front, IMAGES)[-1])  # [8, 2, 2, 32]
    kernel = np.asarray(state.network.params["head"]["kernel"])
    expected = last @ (kernel[:, 1] - kernel[:, 0])
    shown = np.asarray(score(state, IMAGES).map)
    corners = shown[:, :: SIDE - 1, :: SIDE - 1]  # A bilinear enlargement leaves the values in the corners.
    np.testing.assert_allclose(corners, expected, rtol=1e-3, atol=1e-4)


def test_the_loss_and_accuracy_of_a_step_are_those_of_its_scores(frozen):
    state, step, score = frozen
    likely = np.asarray(score(state, IMAGES).image)
    _, found = step(state, Batch(IMAGES, label=LABELS), jax.random.key(1))
    assert found["loss"] == pytest.approx(metrics.log_loss(LABELS, likely), rel=1e-4)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(LABELS, likely > 0.5))


def test_the_learning_rate_falls_after_so_many_steps(frozen):
    state, step, _ = frozen
    states = [state]
    for _ in range(3):
        states.append(step(states[-1], Batch(IMAGES, label=LABELS), jax.random.key(1))[0])
    moved = [apart(one, other) for one, other in zip(states, states[1:], strict=False)]
    assert moved[0] > 0 and moved[1] > 0 and moved[2] == 0


@pytest.mark.parametrize("name", ["cnn_classifier", "resnet_classifier"])
@pytest.mark.parametrize(("kinds", "missing"), [(("bright", "dark"), "kind"), ((), "label")])
def test_a_batch_without_what_it_learns_from_is_refused_with_a_remedy(name, kinds, missing):
    detector, _ = tiny(name, kinds=kinds)
    remedy = {"kind": "kinds", "label": "masks"}[missing]
    with pytest.raises(ValueError, match=rf"the batch has no {missing}; .*set train\.supervision = '{remedy}'"):
        detector.step(None, Batch(IMAGES), jax.random.key(0))


def test_a_decay_after_no_step_is_refused():
    with pytest.raises(ValueError, match=r"settings\.decay_every = 0 steps"):
        tiny("cnn_classifier", decay_every=0)
