"""Boxes against pixels counted, scikit-image, SciPy and plain loops; average precision against its definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import skimage.measure

from jaxdefect.maps import boxes
from jaxdefect.metrics.box_metrics import box_figures


def some(count, side=20, seed=0):
    """Boxes of whole pixels in an image of side x side: float32 [count, 4]."""
    corners = np.sort(np.random.default_rng(seed).integers(0, side + 1, (count, 2, 2)), 1)
    return corners.reshape(count, 4).astype(np.float32)


def as_pixels(box, side=20):
    pixels, (top, left, bottom, right) = np.zeros((side, side), bool), box.astype(int)
    pixels[top:bottom, left:right] = True
    return pixels


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


def scored(rows):
    return np.array(rows, float).reshape(-1, 5)


TRUE = np.array([[0, 0, 10, 10], [20, 20, 40, 40]], float)


def test_average_precision_of_cases_worked_out_by_hand():
    both = scored([[0, 0, 10, 10, 0.9], [20, 20, 40, 40, 0.8]])
    assert box_figures([both], [TRUE])["ap50"] == 1
    assert box_figures([both[:1]], [TRUE])["ap50"] == 0.5
    assert box_figures([scored([])], [TRUE])["ap50"] == 0
    # Hit, false alarm, hit: precision 1 up to recall 1/2, then 2/3.
    between = scored([*both.tolist(), [50, 50, 60, 60, 0.85]])
    assert box_figures([between], [TRUE])["ap50"] == pytest.approx((1 + 2 / 3) / 2)
    # A false alarm on a good image above all others: precision 1/2, then 2/3, and so 2/3 throughout.
    alarm = scored([[0, 0, 10, 10, 0.95]])
    assert box_figures([both, alarm], [TRUE, np.zeros((0, 4))])["ap50"] == pytest.approx(2 / 3)


def test_a_defect_is_found_once_and_from_an_overlap_of_one_half_on():
    twice = scored([[0, 0, 10, 10, 0.9], [0, 0, 10, 9, 0.8]])
    figures = box_figures([twice], [TRUE[:1]])
    assert (figures["boxes"], figures["found"], figures["false_alarms"]) == (1, 1, 1)
    for rows, found in ((5, 1), (4.9, 0)):
        assert box_figures([scored([[0, 0, rows, 10, 0.9]])], [TRUE[:1]])["found"] == found


def test_boxes_at_or_below_the_threshold_and_rows_of_zeros_are_not_counted():
    found = scored([[0, 0, 10, 10, 0.9], [50, 50, 60, 60, 0.5], [0] * 5])
    figures = box_figures([found], [np.concatenate([TRUE, np.zeros((3, 4))])], threshold=0.5)
    assert figures == {"ap50": 0.5, "boxes": 2, "found": 1, "false_alarms": 0, "precision": 1, "recall": 0.5,
                       "f1": pytest.approx(2 / 3)}  # fmt: skip


def brute_force(found, truths):
    """Average precision from its definition: for each recall that is reached, the best precision there or beyond."""
    levels = sorted({row[4] for own in found for row in own}, reverse=True)
    points, total = [], sum(map(len, truths))
    for level in levels:
        hits = alarms = 0
        for own, true in zip(found, truths, strict=True):
            open_ = set(range(len(true)))
            for row in sorted((row for row in own if row[4] >= level), key=lambda row: -row[4]):
                pixels = [(as_pixels(row[:4], 60) & as_pixels(t, 60)).sum() for t in true]
                sizes = [(as_pixels(row[:4], 60) | as_pixels(t, 60)).sum() for t in true]
                overlaps = [a / b for a, b in zip(pixels, sizes, strict=True)]
                best = int(np.argmax(overlaps)) if overlaps else -1
                hit = best in open_ and overlaps[best] >= 0.5
                open_ -= {best} if hit else set()
                hits, alarms = hits + hit, alarms + (not hit)
        points.append((hits / total, hits / (hits + alarms)))
    recalls = sorted({0.0, *(recall for recall, _ in points)})
    return sum((high - low) * max(p for recall, p in points if recall >= high)
               for low, high in zip(recalls, recalls[1:], strict=False))  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_that_of_its_definition(seed):
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for count in (0, 1, 3, 4):
        corners = rng.integers(0, 40, (count, 2))
        true = np.concatenate([corners, corners + rng.integers(5, 20, (count, 2))], 1).astype(float)
        near = np.concatenate([true, true])[rng.random(2 * count) < 0.8]
        near = near + rng.integers(-2, 3, near.shape)
        rows = np.concatenate([near.clip(0, 60), some(3, 60, seed)], 0)
        rows = rows[boxes.area(rows) > 0]
        truths.append(true)
        found.append(np.concatenate([rows, rng.permutation(np.arange(1, len(rows) + 1))[:, None] + count / 10], 1))
    wanted = brute_force(found, truths)
    assert 0 < wanted < 1
    assert box_figures(found, truths)["ap50"] == pytest.approx(wanted)


def test_wrong_shapes_and_numbers_of_images_are_named():
    with pytest.raises(ValueError, match="of 1 images, true ones of 2"):
        box_figures([scored([])], [TRUE, TRUE])
    with pytest.raises(ValueError, match=r"found\[0\] has shape \(2, 4\)"):
        box_figures([TRUE], [TRUE])
    assert box_figures([scored([])], [np.zeros((0, 4))])["ap50"] is None
