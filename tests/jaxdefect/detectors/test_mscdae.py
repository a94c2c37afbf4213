"""MSCDAE: its parts against NumPy and SciPy, and the published fusion of masks as one map."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxdefect.detector import Batch
from jaxdefect.detectors import mscdae
from jaxdefect.training import loop
from tests.contract.steps import textures, tiny

RNG = np.random.default_rng(0)
IMAGES = np.stack(textures(2, 40)).astype(np.float32) / 255


@pytest.fixture(scope="module")
def drawn():
    """(detector, state) before any step."""
    detector, _ = tiny("mscdae", opening=1)
    return detector, loop.jit_once(detector.init)(jax.random.key(0), Batch(IMAGES))


def test_illumination_is_taken_out_as_published():
    grey = np.pad(np.maximum(IMAGES[0, ..., 0], 1 / 255), 1, "symmetric")
    expected = np.zeros((40, 40))
    for dy, dx in np.ndindex(3, 3):
        expected += (grey[1:-1, 1:-1] - grey[dy : dy + 40, dx : dx + 40]) / grey[1:-1, 1:-1]
    illumination_free = jax.jit(mscdae.illumination_free)
    found = illumination_free(IMAGES)
    np.testing.assert_allclose(found[0, ..., 0], np.arctan(expected), atol=1e-4)
    np.testing.assert_allclose(illumination_free(IMAGES / 2), found, atol=1e-3)
    assert np.isfinite(mscdae.illumination_free(jnp.zeros((1, 8, 8, 3)))).all()


def test_each_level_is_smoothed_and_halved():
    image = RNG.normal(size=(1, 21, 30, 1))
    one, two, three = mscdae.pyramid(jnp.asarray(image), 3)
    taps = np.array([1, 4, 6, 4, 1]) / 16
    smooth = lambda x: ndimage.convolve1d(ndimage.convolve1d(x, taps, 0, mode="reflect"), taps, 1, mode="reflect")
    np.testing.assert_allclose(one, image, atol=1e-6)
    np.testing.assert_allclose(two[0, ..., 0], smooth(image[0, ..., 0])[::2, ::2], atol=1e-6)
    np.testing.assert_allclose(three[0, ..., 0], smooth(np.asarray(two)[0, ..., 0])[::2, ::2], atol=1e-6)


@pytest.mark.parametrize("stride", [1, 3, 8])
def test_a_residual_belongs_to_the_patch_around_its_pixel(stride):
    images = RNG.normal(size=(2, 19, 26)).astype(np.float32)
    turned = lambda patches: patches[:, ::-1]  # Any function of the patch alone.
    found = mscdae.patch_residuals(turned, jnp.asarray(images)[..., None], stride=stride)
    assert found.shape == (2, -(-19 // stride), -(-26 // stride))
    for image, row, column in np.ndindex(found.shape):
        y, x = (np.clip(stride * place + stride // 2 - 4, 0, side - 8) for place, side in ((row, 19), (column, 26)))
        patch = images[image, y : y + 8, x : x + 8]
        np.testing.assert_allclose(found[image, row, column], np.mean((patch[::-1] - patch) ** 2), rtol=1e-4)


def test_the_map_above_gamma_is_the_published_fusion_of_masks():
    residuals = RNG.gamma(2, 1, size=(3, 2, 16, 16))
    mean, deviation, gamma = np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.0, 0.25]), 2.0
    standardised = [(x - m) / s for x, m, s in zip(residuals, mean, deviation, strict=True)]
    one, two, three = (x > m + gamma * s for x, m, s in zip(residuals, mean, deviation, strict=True))
    expected = (one & two) | (two & three)
    assert 0.02 < expected.mean() < 0.9
    np.testing.assert_array_equal(mscdae.fuse([jnp.asarray(x) for x in standardised]) > gamma, expected)


def test_an_opened_map_is_the_opening_of_its_mask_at_every_threshold():
    maps = ndimage.gaussian_filter(RNG.normal(size=(24, 30)), 1)
    found = np.asarray(mscdae.opened(jnp.asarray(maps)[None], 3)[0])
    for threshold in np.quantile(maps, (0.2, 0.5, 0.7)):
        eroded = ndimage.minimum_filter((maps > threshold).astype(int), 3, mode="constant", cval=1)
        expected = ndimage.maximum_filter(eroded, 3, mode="constant", cval=0) > 0
        assert 0 < expected.sum() < (maps > threshold).sum()
        np.testing.assert_array_equal(found > np.float32(threshold), expected)


def test_noise_replaces_its_share_of_pixels_by_salt_and_pepper_alike():
    image = jnp.asarray(RNG.uniform(-1, 1, size=(40, 40, 1)).astype(np.float32))
    pairs = jax.jit(mscdae.training_pairs, static_argnames="count")
    clean, noisy = pairs(image, image, jax.random.key(0), count=400, noise=0.1)
    changed = np.asarray(noisy != clean)
    assert abs(changed.mean() - 0.1) < 0.01
    np.testing.assert_allclose(np.abs(noisy[changed]), np.pi / 2, rtol=1e-6)
    assert abs(np.mean(noisy[changed] > 0) - 0.5) < 0.05
    inside = np.lib.stride_tricks.sliding_window_view(np.asarray(image)[..., 0], (8, 8)).reshape(-1, 64)
    assert all((inside == patch.ravel()).all(1).any() for patch in np.asarray(clean)[:20])


@pytest.mark.drill
def test_calibration_knows_the_mean_and_deviation_of_normal_residuals(drawn):
    detector, state = drawn
    calibrate = loop.jit_once(detector.calibrate)
    together = calibrate(state, IMAGES)
    one_by_one = calibrate(calibrate(state, IMAGES[:1]), IMAGES[1:])
    for a, b in zip(mscdae.usual(together), mscdae.usual(one_by_one), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3)
    net = mscdae.Autoencoder((4, 6, 8))
    smallest = jax.jit(lambda images: mscdae.pyramid(mscdae.illumination_free(images), 3)[2])(IMAGES)
    redraw = lambda patches: net.apply({"params": state.levels[2].params}, patches)
    residual = np.asarray(jax.jit(lambda x: mscdae.patch_residuals(redraw, x, stride=4))(smallest))
    mean, deviation = mscdae.usual(together)
    np.testing.assert_allclose((mean[2], deviation[2]), (residual.mean(), residual.std()), rtol=1e-3)


def test_settings_that_cannot_be_are_refused_by_name():
    for settings, message in (
        ({"widths": (4, 8)}, r"settings\.widths = \(4, 8\)"),
        ({"stride": 9}, r"settings\.stride = 9 pixels leaves some unseen"),
        ({"opening": 2}, r"settings\.opening = 2 pixels has no middle"),
        ({"levels": 0}, r"settings\.levels = 0"),
    ):
        with pytest.raises(ValueError, match=message):
            tiny("mscdae", **settings)
    with pytest.raises(ValueError, match=r"16 x 16 pixels \(train\.patch\); 3 levels"):
        tiny("mscdae")[0].init(jax.random.key(0), Batch(IMAGES[:, :16, :16]))
