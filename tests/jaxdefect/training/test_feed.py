"""Both feeds cut real patches, by key or by step alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import data_pipeline
from jaxdefect.training import feed


def sample_images():
    rng = np.random.default_rng(0)
    return [rng.integers(1, 256, (h, w, 1), np.uint8) for h, w in ((20, 30), (40, 17), (16, 16))]


def contains(image, patch):
    windows = np.lib.stride_tricks.sliding_window_view(image, patch.shape)
    return bool((windows == patch).all((-3, -2, -1)).any())


def test_resident_patches_are_cut_from_the_images():
    source = feed.in_memory(sample_images(), patch=16)
    keys = jax.random.split(jax.random.key(0), 60)
    batch = jax.jit(source.make_batch)(source.inputs(0), keys)
    assert batch.image.shape == (60, 16, 16, 1) and batch.image.dtype == jnp.float32
    assert float(batch.image.min()) > 0  # Never from the padding around smaller images.
    found = np.round(np.asarray(batch.image) * 255).astype(np.uint8)
    origin = [next((i for i, p in enumerate(sample_images()) if contains(p, patch)), None) for patch in found]
    assert None not in origin and set(origin) == {0, 1, 2}


def test_resident_masks_labels_and_surfaces_travel_along():
    images = sample_images()
    masks = [(image[..., 0] > 128).astype(np.uint8) for image in images]
    source = feed.in_memory(images, patch=8, masks=masks, labels=[0, 1, 1], surfaces=[5, 6, 7])
    batch = source.make_batch(source.inputs(0), jax.random.split(jax.random.key(1), 40))
    np.testing.assert_array_equal(batch.mask, (batch.image[..., 0] > 128.5 / 255).astype(np.float32))
    np.testing.assert_array_equal(batch.label, (np.asarray(batch.surface) > 5).astype(np.int32))


def test_an_image_smaller_than_the_patch_is_named():
    with pytest.raises(ValueError, match="train/b is 40 x 17 pixels, smaller than train.patch = 20"):
        feed.in_memory(sample_images(), patch=20, ids=["train/a", "train/b", "train/c"])


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="the training split is empty"):
        feed.in_memory([], patch=8)


def test_a_stream_gives_the_batch_of_a_step_however_it_is_reached():
    split = data_pipeline.load("synthetic", size=64, train=4, test_good=1, test_defective=1, surfaces=(3,)).train
    settings = {"patch": 16, "batch": 8, "seed": 0}
    source = feed.stream(lambda step: data_pipeline.patches(split, start_step=step, **settings))
    straight = [np.asarray(source.inputs(step)["image"]) for step in range(4)]
    jumped = feed.stream(lambda step: data_pipeline.patches(split, start_step=step, **settings))
    np.testing.assert_array_equal(jumped.inputs(2)["image"], straight[2])
    np.testing.assert_array_equal(jumped.inputs(0)["image"], straight[0])
    np.testing.assert_array_equal(jumped.inputs(1)["image"], straight[1])
    batch = source.make_batch({"image": jnp.asarray(straight[0][0])}, None)
    assert batch.image.dtype == jnp.float32 and float(batch.image.min()) >= 0 and float(batch.image.max()) <= 1


def test_pairs_come_from_the_two_halves():
    """Images are told apart by their grey."""
    greys = np.arange(7) * 30
    halves = feed.halved(7, seed=3)
    source = feed.in_memory([np.full((12, 12, 1), grey, np.uint8) for grey in greys], patch=12, halves=halves)
    batch = source.make_batch(source.inputs(0), jax.random.split(jax.random.key(0), 400))
    seen = [set(np.round(np.asarray(part)[:, 0, 0, 0] * 255).astype(int)) for part in (batch.image, batch.paired_image)]
    assert seen == [set(greys[halves == 0]), set(greys[halves == 1])]
    pairs = set(
        zip(*(np.asarray(part)[:, 0, 0, 0].tolist() for part in (batch.image, batch.paired_image)), strict=True)
    )
    assert len(pairs) == 12  # Every pairing occurs.


@pytest.mark.parametrize("count", [1, 2, 7, 10])
def test_halves_are_even_and_those_of_the_seed(count):
    halves = feed.halved(count, seed=1)
    assert len(halves) == max(count, 2) and abs(int(halves.sum() * 2) - len(halves)) <= 1
    np.testing.assert_array_equal(halves, feed.halved(count, seed=1))


def test_halves_depend_on_the_seed():
    assert any((feed.halved(10, seed=0) != feed.halved(10, seed=seed)).any() for seed in (1, 2))
