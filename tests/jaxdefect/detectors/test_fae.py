"""FAE: its loss, its score, and that flaws go while normal detail stays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.detectors import fae
from jaxdefect.networks.blocks import apply
from jaxdefect.training import loop
from tests.contract.steps import textures, tiny
from tests.drilled import drilled
from tests.jaxdefect.detectors.spotted_stripes import striped_and_spotted, trained

IMAGES = jnp.asarray(np.stack(textures(4, 16)), jnp.float32) / 255


def test_the_loss_is_the_squared_error_to_the_image_without_its_flaws():
    detector, config = tiny("fae")
    batch = Batch(IMAGES, target=IMAGES[::-1])
    state = loop.jit_once(detector.init)(jax.random.key(0), batch)
    net = fae.Autoencoder(tuple(config.settings.widths), config.settings.skip)
    training = parallel.on_one_device(lambda images: apply(net, state.params, state.batch_stats, images, train=True)[0])
    redrawn = np.asarray(loop.jit_once(training)(IMAGES))
    step = loop.jit_once(parallel.on_one_device(detector.step))
    _, metrics = step(state, batch, jax.random.key(1))
    np.testing.assert_allclose(metrics["loss"], np.mean((redrawn - IMAGES[::-1]) ** 2), rtol=1e-4)
    np.testing.assert_allclose(metrics["absolute"], np.mean(np.abs(redrawn - IMAGES[::-1])), rtol=1e-4)


@pytest.mark.parametrize(("residual", "error"), [("squared", np.square), *drilled(("absolute", np.abs))])
def test_the_map_is_the_filtered_residual_and_the_score_its_largest_value(residual, error):
    detector, config = tiny("fae", residual=residual, box=5)
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(IMAGES))
    images = IMAGES[:, :15, :13]
    scores = loop.jit_once(detector.score)(state, images)
    net = fae.Autoencoder(tuple(config.settings.widths), config.settings.skip)
    redrawn, _ = apply(net, state.params, state.batch_stats, images, train=False)
    residuals = error(np.asarray(images) - np.asarray(redrawn)).mean(-1)
    np.testing.assert_allclose(scores.map, [ndimage.uniform_filter(one, 5) for one in residuals], rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(scores.image, jnp.max(scores.map, (1, 2)))
    np.testing.assert_allclose(scores.reconstruction, np.clip(redrawn, 0, 1), atol=1e-5)


def test_settings_that_cannot_work_are_refused_with_a_remedy():
    with pytest.raises(ValueError, match=r"settings\.widths = \(8,\); .*two scales or more"):
        tiny("fae", widths=(8,))
    with pytest.raises(ValueError, match=r"settings\.residual = 'ssim' is not known; use one of squared, absolute"):
        tiny("fae", residual="ssim")
    with pytest.raises(ValueError, match=r"settings\.box = 4"):
        tiny("fae", box=4)


@pytest.mark.drill
def test_a_spot_on_stripes_goes_and_is_the_worst_place():
    detector, _ = tiny("fae", widths=(8, 16), box=3)
    state = trained(detector, kinds=("stain",), share=0.5, noise=0.02)
    images, spotted = striped_and_spotted(5)
    scores = jax.jit(detector.score)(state, np.concatenate([images, spotted]))
    assert float(scores.image[4:].min()) > float(scores.image[:4].max())
    repaired = np.abs(scores.reconstruction[4:] - images)[:, 20:25, 30:35].mean()
    assert repaired < 0.5 * np.abs(spotted - images)[:, 20:25, 30:35].mean()
    for one in scores.map[4:]:
        row, column = np.unravel_index(np.argmax(one), one.shape)
        assert 18 <= row < 27 and 28 <= column < 37
