"""DCT against SciPy."""

import jax
import numpy as np
from scipy import fft, ndimage

from jaxdefect.detectors import dct
from tests.jaxdefect.maps.grey_noise import GREY


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
