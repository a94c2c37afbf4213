"""Defects one by one, beside what scikit-image measures."""

import tracemalloc

import numpy as np
import pytest
from skimage import measure

from launch.run.regions import regions


def blobs(seed, shape=(60, 90), share=0.3):
    import scipy.ndimage

    noise = scipy.ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    return noise > np.quantile(noise, 1 - share)


@pytest.mark.parametrize("seed", range(4))
def test_boxes_areas_centroids_extents_and_scores_are_those_of_scikit_image(seed):
    mask, scores = blobs(seed), np.random.default_rng(seed).random((60, 90)).astype(np.float32)
    theirs = sorted(measure.regionprops(measure.label(mask, connectivity=2), scores), key=lambda r: -r.area)
    ours = regions(mask, scores)
    assert [region.area for region in ours] == [region.area for region in theirs] and len(ours) > 5
    by_place = {(region.top, region.left, region.bottom, region.right): region for region in ours}
    for their in theirs:
        region = by_place[their.bbox]
        assert (region.row, region.column) == pytest.approx(their.centroid)
        assert region.extent == pytest.approx(their.feret_diameter_max, rel=0.03, abs=1.5)  # Theirs is of a contour.
        assert (region.peak, region.mean) == pytest.approx((their.intensity_max, their.intensity_mean), rel=1e-5)


def test_extents_go_from_corner_to_corner():
    def extent(*pixels):
        mask = np.zeros((40, 40), bool)
        mask[tuple(np.transpose(pixels))] = True
        return regions(mask, mask.astype(np.float32))[0].extent

    assert extent((5, 5)) == pytest.approx(2**0.5, rel=1e-3)
    assert extent(*((5, column) for column in range(3, 33))) == pytest.approx((30**2 + 1) ** 0.5, rel=1e-3)
    assert extent(*((place, place) for place in range(20))) == pytest.approx(20 * 2**0.5, rel=1e-3)


def test_an_empty_mask_has_no_defect():
    assert regions(np.zeros((5, 5), bool), np.zeros((5, 5), np.float32)) == []


@pytest.mark.parametrize("share", [0.99, 0.02])
def test_a_large_image_takes_few_bytes_a_pixel(share):
    mask = blobs(0, (1500, 1500), share)
    tracemalloc.start()
    assert regions(mask, mask.astype(np.float32))
    peak = tracemalloc.get_traced_memory()[1] / mask.size
    tracemalloc.stop()
    assert peak < 30, "bytes, of which 4 are the map's and 4 the numbers'"
