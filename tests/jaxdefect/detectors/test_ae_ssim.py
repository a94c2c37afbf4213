"""AE-SSIM: the layers of Bergmann's network, and the map that goes with its loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.detector import Batch
from jaxdefect.detectors import ae_ssim
from jaxdefect.maps import residuals
from jaxdefect.training import loop
from tests.contract.steps import textures, tiny
from tests.drilled import drilled

CLEAN = np.stack(textures(3, 64)).astype(np.float32) / 255


def test_the_network_of_bergmann_has_its_layers():
    net = ae_ssim.Autoencoder(width=32, latent=100)
    shapes = jax.eval_shape(lambda: net.init(jax.random.key(0), jnp.zeros((1, 128, 128, 1)), train=True))["params"]
    kernels = lambda kind: [shapes[name]["kernel"].shape for name in sorted(shapes) if name.startswith(kind)]
    encoder = [(4, 1, 32), (4, 32, 32), (3, 32, 32), (4, 32, 64), (3, 64, 64), (4, 64, 128), (3, 128, 64), (3, 64, 32)]
    decoder = [(3, 32, 64), (3, 64, 128), (3, 64, 64), (3, 32, 32)]
    convolutions = {shape[1:] for shape in kernels("Conv")}
    assert convolutions == {(size, inputs, outputs) for size, inputs, outputs in encoder + decoder}
    assert kernels("Dense") == [(8 * 8 * 32, 100), (100, 8 * 8 * 32)]
    ups = {(4, 128, 64), (4, 64, 32), (4, 32, 32), (4, 32, 1)}
    assert {shape[1:] for shape in kernels("Deconv")} == ups


@pytest.mark.parametrize(
    ("loss", "residual"), [("ssim", residuals.dissimilarity), *drilled(("mse", residuals.squared))]
)
def test_the_map_is_the_residual_that_goes_with_the_loss(loss, residual):
    detector, _ = tiny("ae_ssim", loss=loss, box=1)
    images = jnp.asarray(CLEAN)
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(images[:, :32, :32]))
    scores = loop.jit_once(detector.score)(state, images)
    np.testing.assert_allclose(scores.map, residual(images, scores.reconstruction), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(scores.image, scores.map.max((1, 2)))


def test_settings_that_cannot_be_are_refused_by_name():
    with pytest.raises(ValueError, match=r"settings\.size = 40 .* such as 32 or 48"):
        tiny("ae_ssim", size=40)
    with pytest.raises(ValueError, match=r"settings\.loss = 'l3'"):
        tiny("ae_ssim", loss="l3")
    with pytest.raises(ValueError, match=r"settings\.overlap = 20"):
        tiny("ae_ssim", overlap=20)
