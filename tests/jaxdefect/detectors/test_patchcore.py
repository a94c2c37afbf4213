"""PatchCore: distances to the coreset are those of SciPy, weights those of the paper."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial.distance as distances

from jaxdefect.detectors import patchcore
from tests.contract.steps import tiny
from tests.jaxdefect.backbones.drawn_backbones import gathered, joined, one_by_one, sample_images
from tests.jaxdefect.statistics.brute_force import greedy

pytestmark = pytest.mark.usefixtures("backbones_are_drawn_quickly")


def test_patchcore_measures_the_distance_to_the_nearest_cell_of_its_coreset():
    images, tested = sample_images(3), sample_images(1, seed=1)
    detector, state = gathered("patchcore", one_by_one(images), smoothing=0, neighbours=0, projection_size=0)
    seen = joined(size=64)
    vectors = np.asarray(state.bank.vectors, np.float64)
    unit = np.sqrt(vectors.var(0).sum())
    np.testing.assert_allclose(state.unit, unit, rtol=1e-4)
    chosen = vectors[greedy(vectors, 20)]
    found = np.asarray(seen.cells(state.backbone, tested), np.float64).reshape(-1, seen.channels)
    expected = distances.cdist(found, chosen).min(1) / unit
    scores = detector.score(state, tested)
    np.testing.assert_allclose(np.asarray(scores.map)[0, ::2, ::2].ravel(), expected, rtol=1e-3)
    np.testing.assert_allclose(scores.image, expected.max(), rtol=1e-3)


def test_the_weight_of_an_image_is_that_of_the_paper():
    rng = np.random.default_rng(0)
    queries, bank = rng.normal(size=(4, 6)) * 2, rng.normal(size=(30, 6))
    known = np.arange(30) < 20
    apart = distances.cdist(queries, bank)[:, known]
    nearest = apart.argmin(1)
    around = np.argsort(distances.cdist(bank[known], bank[known])[nearest], 1)[:, :5]
    expected = 1 - np.exp(apart.min(1)) / np.exp(np.take_along_axis(apart, around, 1)).sum(1)
    arrays = [jnp.asarray(x, jnp.float32) for x in (queries, bank)]
    found = patchcore.weight(arrays[0], jnp.asarray(nearest), arrays[1], jnp.asarray(known), neighbours=5)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_reservoir_with_few_cells_is_known_as_such():
    _, state = gathered("patchcore", [sample_images(1)[:, :8, :8]], size=0, bank=50)  # 16 cells of 2 pixels
    assert int(state.distinct) == 16


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"coreset": 1000}, "settings.coreset"),
        ({"neighbours": 1}, "settings.neighbours"),
        ({"projection_size": -2}, "settings.projection_size"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        tiny("patchcore", **settings)
