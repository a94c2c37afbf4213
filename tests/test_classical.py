"""PHOT, LCA and DCT against NumPy and SciPy, and what they are for: one spot in a texture."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import fft, ndimage

from jaxdefect.detector import Batch
from jaxdefect.detectors import dct, lca, phot
from jaxdefect.maps import texture_removal
from tests.steps import tiny

RNG = np.random.default_rng(0)
GREY = ndimage.gaussian_filter(RNG.normal(size=(2, 40, 50)), (0, 1, 1))
GREY -= GREY.mean((1, 2), keepdims=True)


@pytest.fixture(scope="module", params=["phot", "lca", "dct"])
def score(request):
    detector, _ = tiny(request.param)
    state = detector.init(jax.random.key(0), Batch(jnp.zeros((1, 16, 16, 1))))
    return jax.jit(lambda images: detector.score(state, images))


def woven(channels: int = 1) -> np.ndarray:
    """[1, 64, 64, channels] a texture of period 8 with a spot of radius 3 at (40, 21)."""
    y, x = np.mgrid[:64, :64]
    texture = 0.5 + 0.1 * np.sin(2 * np.pi * x / 8) + 0.1 * np.cos(2 * np.pi * y / 8)
    spotted = np.where(np.hypot(y - 40, x - 21) <= 3, 0.9, texture) + np.random.default_rng(1).normal(0, 0.005, y.shape)
    return np.repeat(spotted[None, ..., None], channels, -1).astype(np.float32)


def test_phot_is_the_published_transform():
    spectrum = np.fft.fft2(GREY, norm="ortho")
    phase = np.fft.ifft2(spectrum / (np.abs(spectrum) + 1e-8), norm="ortho").real
    published = [ndimage.gaussian_filter(one, 3, mode="wrap", truncate=8) for one in phase]
    found = np.asarray(jax.jit(phot.phase_only)(GREY, epsilon=1e-8, sigma=3.0))
    centred = lambda x: x - np.mean(x, (1, 2), keepdims=True)  # The mean of GREY is rounding: its phase is chance.
    np.testing.assert_allclose(centred(found), centred(published), atol=1e-3 * np.abs(published).max())


def test_lca_keeps_the_frequencies_inside_the_bend_and_no_others():
    rings = np.rint(np.hypot(*np.meshgrid(np.fft.fftfreq(40), np.fft.fftfreq(50), indexing="ij")) * 50).astype(int)
    for grey, found in zip(GREY, np.asarray(jax.jit(lca.low_pass)(GREY)), strict=True):
        spectrum = np.fft.fft2(grey)
        power = np.bincount(rings[rings > 0], np.abs(spectrum[rings > 0]) ** 2, 26)[:26]
        share = np.cumsum(power) / power.sum()
        second = -(share[2:] - 2 * share[1:-1] + share[:-2]) * 25**2
        curvature = second / (1 + np.gradient(share, 1 / 25)[1:-1] ** 2) ** 1.5
        kept = rings <= np.argmax(curvature) + 1
        assert 5 < kept.sum() < kept.size / 2
        np.testing.assert_allclose(found, np.fft.ifft2(spectrum * kept).real, atol=1e-5)


def test_the_power_up_to_the_last_ring_is_all_of_it_inside_half_a_cycle():
    for shape in ((40, 50), (33, 47), (16, 48)):
        grey = GREY[:1, : shape[0], : shape[1]]
        share = lca.cumulative_power(jnp.fft.rfft2(grey), grey.shape[1:])
        whole = np.abs(np.fft.fft2(grey[0])) ** 2
        radii = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, grey.shape[1:]), indexing="ij")) * max(shape)
        ring, last = np.rint(radii), max(shape) // 2
        within = np.array([whole[(ring > 0) & (ring <= radius)].sum() for radius in range(last + 1)])
        np.testing.assert_allclose(share[0], within / within[-1], atol=1e-5)


def test_the_bend_of_two_straight_lines_is_where_they_meet():
    places = np.arange(101)
    curves = np.stack([np.where(places < knee, places / knee * 0.9, 0.9) for knee in (7, 30, 60)])
    np.testing.assert_array_equal(lca.bend(jnp.asarray(curves)), [7, 30, 60])


def test_dct_leaves_out_the_dominant_coefficients_and_no_others():
    for grey, found in zip(GREY, jax.jit(dct.without_dominant)(GREY, dominant=2.0, sigma=0.0), strict=True):
        spectrum = fft.dctn(grey, norm="ortho")
        dominant = np.abs(spectrum) > 2 * grey.std()
        assert 0.01 < dominant.mean() < 0.2
        np.testing.assert_allclose(found, fft.idctn(np.where(dominant, 0, spectrum), norm="ortho"), atol=1e-5)


def test_dct_smooths_with_a_mirrored_border():
    found = jax.jit(dct.without_dominant)(GREY, dominant=1e9, sigma=2.0)
    expected = [ndimage.gaussian_filter(one, 2, mode="reflect", truncate=8) for one in GREY]
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


def test_a_level_is_the_distance_from_the_mean_in_deviations_of_the_image():
    found = np.asarray(texture_removal.level(jnp.asarray(GREY + 3)))
    np.testing.assert_allclose(found, np.abs(GREY) / GREY.std((1, 2), keepdims=True), rtol=1e-3, atol=1e-5)
    assert not texture_removal.level(jnp.full((1, 8, 8), 0.3)).any()


def test_a_spot_in_a_periodic_texture_has_the_highest_level(score):
    scores = score(woven())
    y, x = np.unravel_index(np.argmax(scores.map[0]), (64, 64))
    assert np.hypot(y - 40, x - 21) <= 4
    assert float(scores.image[0]) == float(scores.map.max()) > 4


def test_a_image_of_three_equal_channels_is_judged_as_the_grey_one(score):
    np.testing.assert_allclose(score(woven(3)).map, score(woven()).map, atol=1e-3)


def test_brightness_and_contrast_do_not_matter(score):
    np.testing.assert_allclose(score(0.4 * woven() + 0.2).map, score(woven()).map, atol=1e-2)
