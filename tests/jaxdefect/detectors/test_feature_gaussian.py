"""Gaussian of features: that of NumPy."""

import numpy as np
import pytest

from tests.contract.steps import tiny
from tests.jaxdefect.backbones.drawn_backbones import gathered, joined, one_by_one, sample_images

pytestmark = pytest.mark.usefixtures("backbones_are_drawn_quickly")


def test_gaussian_of_all_cells_is_that_of_numpy():
    images = sample_images(5)
    detector, state = gathered("feature_gaussian", one_by_one(images), smoothing=0, margin=0)
    seen = joined()
    cells = np.asarray(seen.cells(state.backbone, images), np.float64).reshape(-1, seen.channels)
    np.testing.assert_allclose(state.mean, cells.mean(0), rtol=1e-4, atol=1e-5)
    white = (cells - cells.mean(0)) @ np.asarray(state.whitening, np.float64).T
    alive = cells.std(0) > 0  # Some features of a random backbone are 0 everywhere.
    correlation = np.corrcoef(cells[:, alive].T) + 0.01 * np.eye(alive.sum())
    scaled = ((cells - cells.mean(0)) / np.where(alive, cells.std(0), 1))[:, alive]
    expected = np.einsum("nf,fg,ng->n", scaled, np.linalg.inv(correlation), scaled)
    np.testing.assert_allclose((white**2).sum(1), expected, rtol=0.02, atol=0.01)


def test_features_may_be_projected_on_a_few_directions():
    detector, state = gathered("feature_gaussian", one_by_one(sample_images(4)), channels=5)
    assert state.whitening.shape == (5, 5) and detector.score(state, sample_images(1)).map.shape == (1, 64, 64)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stages": (0, 0)}, "settings.stages"),
        ({"stages": (9,)}, "settings.stages"),
        ({"size": 10}, "settings.size"),
        ({"channels": -1}, "settings.channels"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        tiny("feature_gaussian", **settings)
