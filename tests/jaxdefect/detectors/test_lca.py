"""LCA against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect.detectors import lca
from tests.jaxdefect.maps.grey_noise import GREY


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
