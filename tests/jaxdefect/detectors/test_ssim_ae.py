"""SSIM-AE: multi-scale SSIM against its definition and another library, and the layers of the network."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from jaxdefect.detectors import ssim_ae
from jaxdefect.losses import reconstruction
from jaxdefect.training import loop
from tests.contract.steps import textures, tiny

RNG = np.random.default_rng(0)
CLEAN = np.stack(textures(3, 64, channels=3)).astype(np.float32) / 255
NOISY = np.clip(CLEAN + RNG.normal(0, 0.1, CLEAN.shape), 0, 1).astype(np.float32)


def defined(a: np.ndarray, b: np.ndarray, scales: int) -> float:
    """1 - MS-SSIM of two grey images by its definition, each SSIM from scikit-image.

    Contrast and structure are SSIM where luminance is 1: its constant is made so large that brightness cannot matter.
    """
    weights = np.asarray(ssim_ae.WEIGHTS[:scales]) / sum(ssim_ae.WEIGHTS[:scales])
    product = 1.0
    for scale, weight in enumerate(weights):
        constant = 0.01 if scale == scales - 1 else 1e6
        _, similar = structural_similarity(
            a.astype(float), b.astype(float), data_range=1, gaussian_weights=True, sigma=1.5, truncate=3.5,
            use_sample_covariance=False, K1=constant, full=True,
        )  # fmt: skip
        product *= similar[5:-5, 5:-5].mean() ** weight
        a, b = (x.reshape(len(x) // 2, 2, -1, 2).mean((1, 3)) for x in (a, b))
    return 1 - product


@pytest.mark.parametrize("scales", [1, 2, 3])
def test_multi_scale_ssim_is_its_definition_channel_by_channel(scales):
    expected = np.mean([defined(NOISY[i, ..., c], CLEAN[i, ..., c], scales) for i in range(3) for c in range(3)])
    assert expected > 0.05
    np.testing.assert_allclose(ssim_ae.multi_scale_ssim(NOISY, CLEAN, scales=scales), expected, rtol=1e-3)


def test_one_scale_is_ssim():
    np.testing.assert_allclose(
        ssim_ae.multi_scale_ssim(NOISY, CLEAN, scales=1), reconstruction.ssim(NOISY, CLEAN), rtol=1e-6
    )  # fmt: skip


@pytest.mark.parametrize("scales", [1, 3])
def test_equal_images_lose_nothing_and_grey_ones_repeated_in_colour_as_much_as_grey(scales):
    compute = loop.jit_once(functools.partial(ssim_ae.multi_scale_ssim, scales=scales))
    lost = lambda a, b: float(compute(a, b))
    assert lost(CLEAN, CLEAN) == pytest.approx(0, abs=1e-5)
    grey = [x[..., :1] for x in (NOISY, CLEAN)]
    assert lost(*grey) == pytest.approx(lost(*(np.repeat(x, 3, -1) for x in grey)), rel=1e-5)


def test_contrast_and_structure_do_not_see_brightness_alone():
    darker = 0.5 * CLEAN
    np.testing.assert_allclose(ssim_ae.contrast_structure(darker, darker + 0.3), 1, atol=1e-3)
    assert float(jnp.mean(ssim_ae.contrast_structure(CLEAN, darker))) < 0.9


def test_images_that_are_opposites_have_a_gradient_that_leads_away():
    lost = loop.jit_once(jax.value_and_grad(lambda a: ssim_ae.multi_scale_ssim(a, CLEAN, scales=3)))
    opposite = 1 - CLEAN
    value, slope = lost(opposite)
    assert float(value) > 0.5 and bool(jnp.isfinite(slope).all())
    assert float(lost(opposite - 0.05 * slope / jnp.abs(slope).max())[0]) < float(value)


def test_upsampling_is_repetition_and_a_convolution():
    x = RNG.normal(size=(2, 5, 6, 3)).astype(np.float32)
    up = ssim_ae.UpConv(4)
    variables = loop.jit_once(up.init)(jax.random.key(0), x)
    repeated = jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)
    kernel = variables["params"]["kernel"]
    expected = jax.lax.conv_general_dilated(
        repeated, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(up.apply(variables, x), expected, atol=1e-5)


@pytest.mark.parametrize(("size", "most"), [(11, 1), (24, 2), (64, 3), (128, 4), (176, 5), (512, 5)])
def test_scales_end_before_images_are_smaller_than_the_window(size, most):
    assert ssim_ae.most_scales(size) == most


def test_settings_that_cannot_be_are_refused_by_name():
    with pytest.raises(ValueError, match=r"settings\.size = 26 .* such as 24 or 28"):
        tiny("ssim_ae", size=26)
    with pytest.raises(ValueError, match=r"settings\.scales = 3; .* images of 24 have 1 to 2 scales"):
        tiny("ssim_ae", scales=3)
    with pytest.raises(ValueError, match=r"settings\.residual = 'cubed'"):
        tiny("ssim_ae", residual="cubed")
