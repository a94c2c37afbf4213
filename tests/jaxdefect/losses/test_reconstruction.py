"""Losses of reconstructions against dm-pix and scikit-image."""

import dm_pix
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.metrics

from jaxdefect.losses import reconstruction
from tests.drilled import drilled


def pair(height, width, channels=1, seed=0):
    a = jax.random.uniform(jax.random.key(seed), (3, height, width, channels))
    return a, jnp.clip(a + 0.1 * jax.random.normal(jax.random.key(seed + 1), a.shape), 0, 1)


@pytest.mark.parametrize("height, width", [(40, 23), *drilled((11, 11), (140, 60))])
@pytest.mark.parametrize("channels", [3, *drilled(1)])
def test_ssim_equals_that_of_dm_pix(height, width, channels):
    a, b = pair(height, width, channels)
    np.testing.assert_allclose(reconstruction.ssim_map(a, b), dm_pix.ssim(a, b, return_map=True), atol=2e-5)
    ours, theirs = (
        jax.grad(f)(a) for f in (lambda a: reconstruction.ssim(a, b), lambda a: 1 - dm_pix.ssim(a, b).mean())
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_ssim_equals_that_of_scikit_image():
    a, b = pair(48, 40)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    _, whole = skimage.metrics.structural_similarity(
        np.asarray(a[0, ..., 0]), np.asarray(b[0, ..., 0]), full=True, **settings
    )
    np.testing.assert_allclose(reconstruction.ssim_map(a, b)[0, ..., 0], whole[5:-5, 5:-5], atol=1e-4)


def test_equal_images_lose_nothing():
    a, _ = pair(32, 32)
    for name, loss in reconstruction.PIXEL_LOSSES.items():
        assert float(loss(a, a)) == pytest.approx(0, abs=1e-6), name
    assert float(reconstruction.ms_ssim([(a, a), (a[:, ::2, ::2], a[:, ::2, ::2])])) == pytest.approx(0, abs=1e-6)


def test_ms_ssim_multiplies_the_scales_and_leaves_tiny_ones_out():
    a, b = pair(32, 32)
    small = (a[:, ::4, ::4], b[:, ::4, ::4])  # 8 x 8: the window shrinks to 7
    tiny = (a[:, ::16, ::16], b[:, ::16, ::16])  # 2 x 2
    factor = lambda x, y, window: (1 + jnp.mean(reconstruction.ssim_map(x, y, window=window))) / 2
    expected = 1 - factor(a, b, 11) * factor(*small, 7)
    assert float(reconstruction.ms_ssim([(a, b), small, tiny])) == pytest.approx(float(expected), abs=1e-6)


def test_ms_ssim_does_not_teach_the_encoder_to_be_constant():
    a, b = pair(16, 16)
    assert not bool(jnp.any(jax.grad(lambda target: reconstruction.ms_ssim([(a, target)]))(b)))


def test_alpha_weighs_the_first_loss():
    assert float(reconstruction.weighted_pair(0.15, jnp.asarray(2.0), jnp.asarray(4.0))) == pytest.approx(
        0.15 * 2 + 0.85 * 4
    )


def test_the_penalty_is_over_kernels_only():
    params = {"a": {"kernel": jnp.full((2, 2), 2.0), "bias": jnp.full((3,), 100.0)}}
    assert float(reconstruction.frobenius_norm(params)) == pytest.approx(4.0)


def test_an_image_smaller_than_the_window_is_refused():
    with pytest.raises(ValueError, match="at least 11 x 11 pixels, got 8 x 32"):
        reconstruction.ssim_map(jnp.zeros((1, 8, 32, 1)), jnp.zeros((1, 8, 32, 1)))
