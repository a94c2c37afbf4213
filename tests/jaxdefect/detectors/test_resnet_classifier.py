"""The classifier on a front end: frozen ones stay as they are, fine-tuned ones learn."""

from functools import partial

import jax
import numpy as np
import pytest

from jaxdefect import backbones
from jaxdefect.detector import Batch
from jaxdefect.training import loop
from tests.contract.steps import apart, tiny, weights
from tests.jaxdefect.backbones.weight_files import save
from tests.jaxdefect.families.classifiers import IMAGES, LABELS, begun


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
    draw = loop.jit_once(partial(backbones.init, backbones.load("small")))
    drawn = jax.device_get(draw(jax.random.key(7)))
    arrays = {}
    for number in range(1, 6):
        arrays[f"conv{number}.weight"] = drawn["params"][f"conv{number}"]["kernel"].transpose(3, 2, 0, 1).copy()
        own = drawn["params"][f"bn{number}"] | drawn["batch_stats"][f"bn{number}"]
        names = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
        arrays |= {f"bn{number}.{names[key]}": value for key, value in own.items()}
    file = str(save(tmp_path / "net.safetensors", arrays))
    state, *_ = begun("resnet_classifier", weights=file, backbone_width=16, frozen=True)
    np.testing.assert_array_equal(state.front["params"]["conv3"]["kernel"], drawn["params"]["conv3"]["kernel"])
    with pytest.raises(FileNotFoundError, match="no file of weights at"):
        begun("resnet_classifier", weights=file + ".h5", backbone_width=16)


def test_images_too_small_for_a_front_end_are_refused():
    with pytest.raises(ValueError, match=r"settings\.size = 16 pixels; .*less than 32"):
        tiny("resnet_classifier", size=16)
