"""PHOT against NumPy and SciPy."""

import jax
import numpy as np
from scipy import ndimage

from jaxdefect.detectors import phot
from tests.jaxdefect.maps.grey_noise import GREY


def test_phot_is_the_published_transform():
    spectrum = np.fft.fft2(GREY, norm="ortho")
    phase = np.fft.ifft2(spectrum / (np.abs(spectrum) + 1e-8), norm="ortho").real
    published = [ndimage.gaussian_filter(one, 3, mode="wrap", truncate=8) for one in phase]
    found = np.asarray(jax.jit(phot.phase_only)(GREY, epsilon=1e-8, sigma=3.0))
    centred = lambda x: x - np.mean(x, (1, 2), keepdims=True)  # The mean of GREY is rounding: its phase is chance.
    np.testing.assert_allclose(centred(found), centred(published), atol=1e-3 * np.abs(published).max())
