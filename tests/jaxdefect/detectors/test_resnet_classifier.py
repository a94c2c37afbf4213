"""The classifier on a front end: frozen ones stay as they are, fine-tuned ones learn."""

from functools import partial

import jax
import numpy as np
import pytest
from sklearn import metrics

from jaxdefect import backbones
from jaxdefect.detector import Batch
from tests.contract.steps import apart, weights
from tests.jaxdefect.backbones.weight_files import save
from tests.jaxdefect.detectors.classifiers import IMAGES, SIDE, begun, quick

LABELS = np.arange(8, dtype=np.int32) % 2


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
