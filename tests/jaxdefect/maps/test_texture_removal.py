"""The level of what is left of an image, and how far frequencies lie."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.maps import texture_removal
from tests.jaxdefect.maps.grey_noise import GREY


def test_a_level_is_the_distance_from_the_mean_in_deviations_of_the_image():
    found = np.asarray(texture_removal.level(jnp.asarray(GREY + 3)))
    np.testing.assert_allclose(found, np.abs(GREY) / GREY.std((1, 2), keepdims=True), rtol=1e-3, atol=1e-5)
    assert not texture_removal.level(jnp.full((1, 8, 8), 0.3)).any()


@pytest.mark.parametrize(("height", "width"), [(16, 16), (9, 20), (20, 7)])
def test_radii_are_the_distances_of_frequencies_from_zero(height, width):
    whole = np.hypot(*np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij"))
    np.testing.assert_allclose(texture_removal.radii(height, width), whole[:, : width // 2 + 1])
