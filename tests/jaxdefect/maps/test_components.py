"""Components against SciPy and scikit-image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import skimage.measure
import skimage.morphology

from jaxdefect.maps import components

EIGHT = np.ones((3, 3), int)


def spiral(size):
    """A path one pixel wide, one pixel apart from itself, winding inwards."""
    mask = np.zeros((size, size), np.uint8)
    row, column, step, turned = 0, 0, (0, 1), 0
    mask[0, 0] = 1
    while turned < 2:
        ahead = (row + 2 * step[0], column + 2 * step[1])
        if 0 <= ahead[0] < size and 0 <= ahead[1] < size and not mask[ahead]:
            mask[row + step[0], column + step[1]] = mask[ahead] = 1
            (row, column), turned = ahead, 0
        else:
            step, turned = (step[1], -step[0]), turned + 1
    return mask


def noise(density, shape=(97, 64), seed=0):
    return (np.random.default_rng(seed).random(shape) < density).astype(np.uint8)


def blobs(shape=(160, 121), seed=0):
    field = scipy.ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    return (field > 0.15).astype(np.uint8)


MASKS = {
    "blobs": blobs(),
    "spiral": spiral(129),
    "two spirals that never touch": np.kron(np.eye(2, dtype=np.uint8)[::-1], np.pad(spiral(65), 1)),
    "diagonal": np.eye(100, dtype=np.uint8),
    "anti-diagonal": np.eye(100, dtype=np.uint8)[::-1].copy(),
    "checkerboard": (np.indices((50, 51)).sum(0) % 2).astype(np.uint8),
    "comb": np.where(np.indices((60, 61))[0] == 59, 1, np.indices((60, 61))[1] % 2).astype(np.uint8),
    "full": np.ones((40, 30), np.uint8),
    "empty": np.zeros((40, 30), np.uint8),
    "one pixel": np.ones((1, 1), np.uint8),
    "one row": noise(0.5, (1, 200)),
    "one column": noise(0.5, (200, 1)),
    **{f"noise {density}": noise(density) for density in (0.1, 0.3, 0.407, 0.5, 0.7)},  # .407 is the percolation point
}


@pytest.mark.parametrize("name", MASKS)
def test_labels_are_those_of_scipy(name):
    expected, _ = scipy.ndimage.label(MASKS[name], EIGHT)
    labels = components.label_components(MASKS[name])
    assert labels.dtype == jnp.int32
    np.testing.assert_array_equal(labels, expected)


def test_every_mask_of_four_by_four_pixels_is_labelled_right():
    masks = ((np.arange(2**16)[:, None] >> np.arange(16)) & 1).astype(np.uint8).reshape(-1, 4, 4)[::7]
    labels = np.asarray(components.label_components(masks))
    for mask, found in zip(masks, labels, strict=True):
        np.testing.assert_array_equal(found, scipy.ndimage.label(mask, EIGHT)[0])


def test_images_of_a_batch_do_not_touch_each_other():
    batch = np.stack([noise(0.4, seed=seed) for seed in range(3)] + [np.ones((97, 64), np.uint8)])
    together = components.label_components(batch)
    for image, labels in zip(batch, together, strict=True):
        np.testing.assert_array_equal(labels, components.label_components(image))
    np.testing.assert_array_equal(jax.vmap(components.label_components)(batch), together)


@pytest.mark.parametrize("min_area", [0, 1, 2, 5, 40, 10**6])
@pytest.mark.parametrize("name", ["blobs", "noise 0.3", "noise 0.407", "empty", "full"])
def test_small_components_go_as_in_scikit_image(name, min_area):
    mask = MASKS[name]
    # scikit-image states the largest area that goes, here it is the smallest that stays.
    expected = skimage.morphology.remove_small_objects(mask.astype(bool), max_size=min_area - 1, connectivity=2)
    np.testing.assert_array_equal(components.remove_small(mask, min_area), expected.astype(np.uint8))


def test_an_area_of_exactly_the_minimum_stays():
    mask = np.zeros((9, 9), np.uint8)
    mask[0:2, 0:2] = mask[4:7, 4] = 1
    kept = components.remove_small(mask, 4)
    assert np.asarray(kept).sum() == 4
    assert np.all(np.asarray(kept)[0:2, 0:2] == 1)


def test_removal_keeps_dtype_and_takes_traced_areas():
    batch = np.stack([blobs(seed=seed) for seed in range(2)])
    sweep = jax.jit(jax.vmap(components.remove_small, in_axes=(None, 0)))(batch, jnp.array([1, 10, 100]))
    for area, result in zip((1, 10, 100), sweep, strict=True):
        for image, kept in zip(batch, result, strict=True):
            np.testing.assert_array_equal(kept, components.remove_small(image, area))
    for dtype in (bool, np.uint8, np.float32):
        assert components.remove_small(batch.astype(dtype), 3).dtype == dtype


def test_a_megapixel_spiral_is_one_component():
    mask = spiral(1023)
    labels = np.asarray(components.label_components(mask))
    assert labels.max() == skimage.measure.label(mask, connectivity=2).max() == 1
    np.testing.assert_array_equal(labels, mask)


def test_an_empty_batch_stays_empty():
    assert components.label_components(np.zeros((0, 8, 8), np.uint8)).shape == (0, 8, 8)


def test_an_image_with_channels_is_refused_with_its_shape():
    with pytest.raises(ValueError, match=r"\(1, 8, 8, 3\)"):
        components.label_components(np.zeros((1, 8, 8, 3), np.uint8))
