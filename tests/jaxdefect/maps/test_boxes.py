"""Boxes against pixels counted, scikit-image, SciPy and plain loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import skimage.measure

from jaxdefect.maps import boxes
from tests.jaxdefect.maps.drawn_boxes import as_pixels, some


@pytest.mark.parametrize("library", [np, jnp])
def test_overlaps_are_those_of_counted_pixels(library):
    one, other = some(12), some(9, seed=1)
    one[3] = other[2] = 0
    wanted = [[(as_pixels(a) & as_pixels(b)).sum() / max((as_pixels(a) | as_pixels(b)).sum(), 1) for b in other]
              for a in one]  # fmt: skip
    found = boxes.iou(library.asarray(one), library.asarray(other))
    assert isinstance(found, np.ndarray) == (library is np)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.7])
def test_suppression_keeps_what_a_plain_loop_keeps(overlap):
    every, scores = some(40), np.random.default_rng(2).random(40).astype(np.float32)
    every[5], scores[6] = 0, -np.inf
    scores[7] = scores[8]  # Of equals the first counts.
    overlaps, wanted = boxes.iou(every, every), []
    for index in np.argsort(-scores, kind="stable"):
        may = index != 6 and np.ptp(every[index, ::2]) * np.ptp(every[index, 1::2]) > 0
        if may and all(overlaps[index, kept] <= overlap for kept in wanted):
            wanted.append(int(index))
    kept, there = boxes.suppress(jnp.asarray(every), jnp.asarray(scores), overlap=overlap, most=60)
    assert kept[there].tolist() == wanted and not there[len(wanted) :].any()
    few, there = boxes.suppress(jnp.asarray(every), jnp.asarray(scores), overlap=overlap, most=3)
    assert few[there].tolist() == wanted[:3]


def scattered(shape, seed):
    field = scipy.ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.2)
    return (field > 0.25).astype(np.float32)


@pytest.mark.parametrize(("join", "min_area", "most"), [(1, 1, 60), (5, 12, 60), (3, 1, 4)])
def test_boxes_of_a_mask_are_those_of_its_regions(join, min_area, most):
    masks = np.stack([scattered((37, 45), 0), scattered((37, 45), 1), np.zeros((37, 45), np.float32)])
    found = np.asarray(boxes.mask_boxes(jnp.asarray(masks), most=most, min_area=min_area, join=join))
    assert found.shape == (3, most, 4)
    for mask, own in zip(masks, found, strict=True):
        grown = scipy.ndimage.maximum_filter(mask, join)
        labels = skimage.measure.label(grown > 0, connectivity=2) * (mask > 0)
        regions = [region for region in skimage.measure.regionprops(labels) if region.area >= min_area]
        areas = sorted((region.area for region in regions), reverse=True)[:most]
        there = own[boxes.area(own) > 0]
        assert len(there) == len(areas) and not own[len(there) :].any()
        by_box = {region.bbox: region.area for region in regions}
        assert [by_box[tuple(box)] for box in there.astype(int).tolist()] == areas  # And so the largest first.


def test_more_boxes_than_fit_are_given_as_zeros():
    found = boxes.mask_boxes(jnp.ones((1, 2, 2)), most=5, min_area=1, join=1)
    np.testing.assert_array_equal(found[0], [[0, 0, 2, 2], *[[0] * 4] * 4])


def test_deltas_lead_back_to_the_boxes_they_were_made_of():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 50, (2, 30, 2))
    every, references = np.concatenate([corners, corners + rng.uniform(1, 40, (2, 30, 2))], -1).astype(np.float32)
    deltas = boxes.encode(jnp.asarray(every), jnp.asarray(references))
    np.testing.assert_allclose(boxes.decode(deltas, jnp.asarray(references)), every, atol=1e-4)
    moved = references + np.tile(10 * (references[:, 2:] - references[:, :2]), 2)
    np.testing.assert_allclose(boxes.encode(moved, references), np.tile([10, 10, 0, 0], (30, 1)), atol=1e-3)


def test_deltas_of_what_is_no_box_are_zeros_with_finite_slopes():
    none, box = jnp.zeros((1, 4)), jnp.asarray([[1.0, 2, 5, 9]])
    for pair in ((none, box), (box, none), (none, none)):
        assert not boxes.encode(*pair).any()
        assert all(bool(jnp.isfinite(x).all()) for x in jax.grad(lambda a, b: boxes.encode(a, b).sum(), (0, 1))(*pair))
    assert bool(jnp.isfinite(boxes.decode(jnp.full((1, 4), 1e3), box)).all())


def test_anchors_have_their_areas_and_ratios_about_the_middle_of_each_cell():
    every = boxes.anchors(2, 3, stride=8, sizes=(10.0, 20.0), ratios=(0.5, 1.0, 4.0)).reshape(2, 3, 6, 4)
    sides = every[..., 2:] - every[..., :2]
    np.testing.assert_allclose(sides.prod(-1), np.broadcast_to([100] * 3 + [400] * 3, (2, 3, 6)), rtol=1e-5)
    np.testing.assert_allclose(sides[..., 0] / sides[..., 1], np.broadcast_to([0.5, 1, 4] * 2, (2, 3, 6)), rtol=1e-5)
    middle = (every[..., 2:] + every[..., :2]) / 2
    np.testing.assert_allclose(middle[1, 2], np.tile([12, 20], (6, 1)), atol=1e-5)


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_features_of_a_region_are_means_of_bilinear_interpolations(samples):
    rng, bins, stride = np.random.default_rng(0), 4, 8
    features = rng.normal(size=(9, 7, 3)).astype(np.float32)
    regions = np.array([[3.0, 5, 40, 41.5], [0, 0, 72, 56], [60, 50, 90, 70], [10, 10, 11, 12]], np.float32)
    found = boxes.roi_align(features, jnp.asarray(regions), stride=stride, bins=bins, samples=samples)
    steps = (np.arange(bins * samples) + 0.5) / (bins * samples)
    for region, own in zip(regions, found, strict=True):
        y, x = (region[i] + (region[i + 2] - region[i]) * steps for i in (0, 1))
        grid = np.stack(np.meshgrid(y / stride - 0.5, x / stride - 0.5, indexing="ij"))
        for channel in range(3):
            sampled = scipy.ndimage.map_coordinates(features[..., channel], grid, order=1, mode="nearest")
            wanted = sampled.reshape(bins, samples, bins, samples).mean((1, 3))
            np.testing.assert_allclose(own[..., channel], wanted, atol=1e-5)
