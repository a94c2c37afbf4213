"""Morphology on the device agrees with scipy's, image by image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from jaxdefect.maps import morphology
from tests.drilled import drilled


def blobs(shape=(60, 47), seed=0, level=0.05):
    field = scipy.ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 4)
    return (field > level * np.abs(field).max()).astype(np.float32)


def ellipse(shape, centre, radii):
    row, column = np.indices(shape)
    return (((row - centre[0]) / radii[0]) ** 2 + ((column - centre[1]) / radii[1]) ** 2 <= 1).astype(np.float32)


def drawn(shape, *places):
    mask = np.zeros(shape, np.float32)
    for place in places:
        mask[place] = 1
    return mask


MASKS = {
    "blobs": blobs(),
    "one deep blob": ellipse((80, 60), (40, 30), (35, 20)),
    "several": np.maximum(ellipse((50, 70), (12, 15), (9, 12)), ellipse((50, 70), (35, 50), (14, 6))),
    "cut off by the border": ellipse((40, 50), (0, 49), (30, 25)),
    "row": drawn((20, 30), np.s_[7, :]),
    "column": drawn((20, 30), np.s_[:, 0]),
    "diagonal": np.eye(25, 31, dtype=np.float32),
    "one pixel": drawn((9, 11), np.s_[4, 5]),
    "all but one pixel": 1 - drawn((31, 22), np.s_[30, 3]),
    "all but a column": 1 - drawn((31, 22), np.s_[:, 4]),
    "all but a row": 1 - drawn((31, 22), np.s_[29, :]),
    "noise": (np.random.default_rng(0).random((33, 64)) < 0.7).astype(np.float32),
    "empty": np.zeros((13, 17), np.float32),
    "an image one pixel high": drawn((1, 40), np.s_[:, 5:33]),
    "an image one pixel wide": drawn((40, 1), np.s_[3:]),
}


@pytest.mark.parametrize("name", MASKS)
def test_distances_are_those_of_scipy(name):
    found = morphology.distance_transform(MASKS[name][None])
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found[0], scipy.ndimage.distance_transform_edt(MASKS[name]), rtol=1e-6)


def test_images_of_a_batch_do_not_touch_each_other():
    batch = np.stack([blobs(seed=seed) for seed in range(3)] + [np.zeros((60, 47)), np.ones((60, 47))])
    together = morphology.distance_transform(batch)
    for mask, distances in zip(batch[:4], together[:4], strict=True):
        np.testing.assert_allclose(distances, scipy.ndimage.distance_transform_edt(mask), rtol=1e-6)
    runs = np.stack([batch, batch[::-1]])
    np.testing.assert_array_equal(jax.vmap(morphology.distance_transform)(runs), np.stack([together, together[::-1]]))
    np.testing.assert_array_equal(jax.pmap(morphology.distance_transform)(batch[None])[0], together)


def test_a_mask_without_an_outside_is_deeper_than_any_other():
    full = morphology.distance_transform(np.ones((2, 12, 7)))
    np.testing.assert_array_equal(full, np.full((2, 12, 7), 19))
    corner = morphology.distance_transform((1 - drawn((12, 7), np.s_[0, 0]))[None])
    assert 0 < corner.max() < full.min()


def test_distances_of_a_wide_image_are_exact():
    """Squares of distances beyond 2^24, where float32 no longer counts."""
    mask = np.ones((2, 6001), np.float32)
    mask[0, 0] = 0
    found = morphology.distance_transform(mask[None])[0]
    np.testing.assert_allclose(found, scipy.ndimage.distance_transform_edt(mask), rtol=1e-7)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_what_is_inside_does_not_depend_on_the_dtype_or_the_value(dtype):
    expected = morphology.distance_transform(blobs()[None])
    np.testing.assert_array_equal(morphology.distance_transform(blobs()[None].astype(dtype)), expected)
    np.testing.assert_array_equal(morphology.distance_transform(blobs()[None] * 0.3), expected)


@pytest.mark.parametrize("size", [1, 3, 9, *drilled(5, 7, 15, 45)])
@pytest.mark.parametrize("name", ["blobs", "several", "noise", "one pixel", "diagonal", "empty", "column"])
def test_dilation_is_that_of_scipy(name, size):
    mask = MASKS[name]
    expected = scipy.ndimage.binary_dilation(mask > 0, np.ones((size, size)))
    for dtype in (bool, np.float32):
        grown = morphology.dilate(mask[None].astype(dtype), size)
        assert grown.dtype == dtype
        np.testing.assert_array_equal(grown[0], expected.astype(dtype))
    flat = scipy.ndimage.grey_dilation(mask, size=(size, size), mode="constant")
    np.testing.assert_array_equal(morphology.dilate(mask[None], size)[0], flat)


@pytest.mark.parametrize("size", [0, 4, -3])
def test_a_square_without_a_middle_is_refused_with_its_size(size):
    with pytest.raises(ValueError, match=f"by {size} pixels"):
        morphology.dilate(np.zeros((1, 5, 5)), size)


def test_depth_is_one_in_the_middle_of_each_image_and_zero_without_a_defect():
    shallow, deep = ellipse((50, 60), (20, 20), (4, 9)), ellipse((50, 60), (25, 30), (20, 25))
    masks = np.stack([shallow, deep, np.zeros((50, 60)), np.ones((50, 60))])
    depth = np.asarray(jax.jit(morphology.normalised_depth)(masks))
    for mask, found in zip(masks[:2], depth, strict=False):
        exact = scipy.ndimage.distance_transform_edt(mask)
        np.testing.assert_allclose(found, exact / exact.max(), rtol=1e-6)
    np.testing.assert_allclose(depth.max((1, 2)), [1, 1, 0, 1], rtol=1e-6)
    np.testing.assert_array_equal(depth > 0, masks > 0)


def test_empty_batches_stay_empty():
    none = np.zeros((0, 8, 9), np.float32)
    for function in (morphology.distance_transform, morphology.normalised_depth, lambda x: morphology.dilate(x, 3)):
        assert function(none).shape == none.shape
