"""What PHOT, LCA and DCT share: the level of one spot in a texture."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.detector import Batch
from tests.contract.steps import tiny


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


def test_a_spot_in_a_periodic_texture_has_the_highest_level(score):
    scores = score(woven())
    y, x = np.unravel_index(np.argmax(scores.map[0]), (64, 64))
    assert np.hypot(y - 40, x - 21) <= 4
    assert float(scores.image[0]) == float(scores.map.max()) > 4


def test_an_image_of_three_equal_channels_is_judged_as_the_grey_one(score):
    np.testing.assert_allclose(score(woven(3)).map, score(woven()).map, atol=1e-3)


def test_brightness_and_contrast_do_not_matter(score):
    np.testing.assert_allclose(score(0.4 * woven() + 0.2).map, score(woven()).map, atol=1e-2)
