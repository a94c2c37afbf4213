"""The transfer autoencoder: what it draws at 32 x 32 pixels, what is left over, and who learns."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.detectors import transfer_ae
from jaxdefect.maps.residuals import resize
from jaxdefect.training import loop
from tests.contract.steps import apart, textures, tiny, weights

SIDE = transfer_ae.SIDE
IMAGES = np.stack(textures(8, SIDE)).astype(np.float32) / 255


def begun(**settings):
    """(state, step, score) of the tiny detector, compiled."""
    detector, _ = tiny("transfer_ae", **settings)
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(jnp.asarray(IMAGES)))
    return state, loop.jit_once(parallel.on_one_device(detector.step)), loop.jit_once(detector.score)


@pytest.fixture(scope="module")
def learned():
    """(score, state) after 80 steps."""
    state, step, score = begun(size=64, backbone_width=8, width=8)
    for number in range(80):
        state, _ = step(state, Batch(IMAGES), jax.random.key(number))
    return score, state


@pytest.mark.parametrize(
    ("side", "layers"),
    [(1, 5), (2, 4), (4, 3), (7, 3), (13, 2), (14, 2), (16, 1), (56, 1)],  # ResNet, SqueezeNet, VGG at several sizes
)
def test_enough_layers_lead_from_any_map_to_32_pixels(side, layers):
    net = transfer_ae.Decoder(4, 3)
    shape = jax.ShapeDtypeStruct((2, side, side, 8), jnp.float32)
    drawn, variables = jax.eval_shape(partial(net.init_with_output, train=False), jax.random.key(0), shape)
    assert drawn.shape == (2, SIDE, SIDE, 3)
    widths = [variables["params"][f"Deconv_{i}"]["kernel"].shape[-1] for i in range(layers)]
    assert f"Deconv_{layers}" not in variables["params"] and widths == [4 * 2**i for i in reversed(range(layers))]


def test_the_score_is_the_mean_squared_error_and_the_map_the_error_of_each_pixel(learned):
    score, state = learned
    scores = score(state, IMAGES)
    residual = np.square(IMAGES - np.asarray(scores.reconstruction)).mean(-1)
    np.testing.assert_allclose(scores.map, residual, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(scores.image, residual.mean((1, 2)), rtol=1e-4)


def test_a_larger_image_is_judged_at_32_pixels_and_its_map_enlarged(learned):
    score, state = learned
    large = np.asarray(resize(IMAGES, 96, 64))
    scores = score(state, large)
    assert scores.map.shape == (8, 96, 64) and scores.reconstruction.shape == large.shape
    # Enlarged by whole numbers, each of the 32 x 32 errors counts as much as any other.
    np.testing.assert_allclose(scores.map.mean((1, 2)), scores.image, rtol=1e-3)
    assert float(np.abs(np.asarray(scores.reconstruction) - large).mean()) < 0.5 * float(IMAGES.std(0).mean())


def test_what_was_never_seen_is_reconstructed_worse_and_stands_out_where_it_is(learned):
    score, state = learned
    spoilt = IMAGES.copy()
    spoilt[:, 8:16, 16:24] = 1.0
    good, bad = score(state, IMAGES), score(state, spoilt)
    assert float(good.image.mean()) < 0.5 * float(IMAGES.var(0).mean())  # Better than the mean image.
    assert (np.asarray(bad.image) > np.asarray(good.image)).all()
    inside = np.zeros((SIDE, SIDE), bool)
    inside[8:16, 16:24] = True
    shown = np.asarray(bad.map)
    assert (shown[:, inside].mean(-1) > 3 * shown[:, ~inside].mean(-1)).all()


@pytest.mark.drill
@pytest.mark.parametrize("frozen", [True, False])
def test_the_front_end_learns_only_where_it_is_fine_tuned(frozen):
    state, step, _ = begun(frozen=frozen)
    after, _ = step(state, Batch(IMAGES), jax.random.key(1))
    assert apart(state, after) > 0
    before, after = weights(state), weights(after)
    names = [name for name in before if "bn1" in name or "conv1" in name]
    names = [name for name in names if ".opt_state" not in name]
    assert len(names) == 5  # a kernel, a scale and a bias, a mean and a variance
    for name in names:
        assert np.array_equal(before[name], after[name]) == frozen, name


def test_settings_that_cannot_be_are_refused_by_name():
    with pytest.raises(ValueError, match=r"settings\.width = 0"):
        tiny("transfer_ae", width=0)
    with pytest.raises(ValueError, match=r"settings\.size = 16 pixels"):
        tiny("transfer_ae", size=16)
    with pytest.raises(ValueError, match=r"no backbone named 'vgg18'; did you mean 'vgg1"):
        tiny("transfer_ae", backbone="vgg18")
