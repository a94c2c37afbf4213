"""PaDiM: distances are those of SciPy."""

import numpy as np
import pytest
import scipy.spatial.distance as distances

from jaxdefect.detectors import padim
from tests.contract.steps import tiny
from tests.jaxdefect.backbones.drawn_backbones import gathered, joined, one_by_one, sample_images

pytestmark = pytest.mark.usefixtures("backbones_are_drawn_quickly")


def test_padim_is_the_mahalanobis_distance_of_scipy_at_each_place():
    images, tested = sample_images(9), sample_images(1, seed=1)
    detector, state = gathered("padim", one_by_one(images), smoothing=0, ridge=0.05)
    seen = joined(size=64)
    cells = lambda x: np.asarray(seen.cells(state.backbone, x), np.float64)[..., np.asarray(state.chosen)]
    known, found = cells(images), cells(tested)[0]
    centred = known - known.mean(0)
    covariances = np.einsum("nhwf,nhwg->hwfg", centred, centred) / 8
    ridge = 0.05 * np.mean(np.diagonal(covariances, axis1=-2, axis2=-1))
    expected = [
        distances.mahalanobis(found[i, j], known[:, i, j].mean(0), np.linalg.inv(covariances[i, j] + ridge * np.eye(6)))
        for i, j in ((0, 0), (7, 20), (31, 31))
    ]
    scores = np.asarray(detector.score(state, tested).map)[0]
    np.testing.assert_allclose([scores[0, 0], scores[14, 40], scores[62, 62]], expected, rtol=2e-3)
    np.testing.assert_allclose(padim.gaussian(state)[1], covariances, atol=1e-3 * covariances.max())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "settings.size"),
        ({"channels": 500}, "settings.channels"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        tiny("padim", **settings)
