"""DAE, with and without skips: the published score, and what skips let past the code."""

import jax
import numpy as np
import pytest
from scipy import ndimage

from jaxdefect.detector import Batch
from jaxdefect.detectors import dae
from jaxdefect.training import loop
from tests.contract.steps import textures, tiny

IMAGES = np.stack(textures(3, 16)).astype(np.float32) / 255


@pytest.fixture(scope="module", params=["dae", "dae_skip"])
def drawn(request):
    """(name, score, state) of a detector with weights large enough to say something untrained."""
    detector, _ = tiny(request.param)
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(IMAGES))
    louder = lambda path, leaf: 10 * leaf if "kernel" in jax.tree_util.keystr(path) else leaf
    params = jax.tree_util.tree_map_with_path(louder, state.params)
    score = loop.jit_once(detector.score)
    return request.param, score, state._replace(params=params)


def test_the_score_is_the_mean_squared_error_and_the_map_the_filtered_residual(drawn):
    _, score, state = drawn
    scores = score(state, IMAGES)
    residual = np.square(IMAGES - np.asarray(scores.reconstruction)).mean(-1)
    np.testing.assert_allclose(scores.image, residual.mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(scores.map, [ndimage.uniform_filter(one, 3) for one in residual], rtol=1e-4, atol=1e-7)


def test_only_skips_tell_images_apart_where_the_code_says_nothing(drawn):
    name, score, state = drawn
    deepest = lambda path, leaf: leaf * 0 if "['Encoder_0']['Conv_4']" in jax.tree_util.keystr(path) else leaf
    silent = state._replace(params=jax.tree_util.tree_map_with_path(deepest, state.params))
    speaks = lambda state: float(np.ptp(score(state, IMAGES).reconstruction, 0).max())
    assert speaks(state) > 1e-3
    assert speaks(silent) > 1e-3 if name == "dae_skip" else speaks(silent) < 1e-6


def test_each_scale_of_the_encoder_reaches_the_decoder_by_a_skip():
    net = dae.Autoencoder(width=2, skip=True)
    shapes = jax.eval_shape(lambda: net.init(jax.random.key(0), IMAGES, train=True))["params"]["Decoder_0"]
    # 8, 4 and 2 times the width go up, and as many come from the side.
    assert [shapes[f"Deconv_{i}"]["kernel"].shape[2] for i in range(3)] == [32, 2 * 16, 2 * 8]
    assert shapes["Conv_0"]["kernel"].shape[2] == 2 * 4


def test_settings_that_cannot_be_are_refused_by_name():
    with pytest.raises(ValueError, match=r"settings\.size = 20 .* such as 16 or 24"):
        tiny("dae", size=20)
    with pytest.raises(ValueError, match=r"settings\.box = 4"):
        tiny("dae_skip", box=4)
    with pytest.raises(ValueError, match=r"16 x 16 pixels \(train\.patch\), but settings\.size = 32"):
        tiny("dae", size=32)[0].init(jax.random.key(0), Batch(IMAGES))
