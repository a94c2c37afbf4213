"""Both feeds cut real patches, by key or by step alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import data_pipeline
from jaxdefect.training import feed
from jaxdefect.training.loop import jit_once


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


def flawed(images, keys, **options):
    """A batch of the images with flaws, and the feed that it comes from."""
    labelled = {name: options.pop(name) for name in ("masks", "labels") if name in options}
    source = feed.in_memory(images, patch=24, **labelled)
    made = feed.corrupted(source, **({"kinds": ("spot",), "share": 0.5} | options))
    return jit_once(made.make_batch)(made.inputs(0), keys), source


def unflawed(source, keys):
    """The batch of these keys as the feed itself makes it."""
    return jit_once(source.make_batch)(source.inputs(0), keys)


def grey_noise(count=4, size=40):
    rng = np.random.default_rng(1)
    return [rng.integers(90, 160, (size, size, 1), np.uint8) for _ in range(count)]


def test_good_images_get_flaws_and_the_target_is_without():
    keys = jax.random.split(jax.random.key(0), 60)
    batch, source = flawed(grey_noise(), keys)
    np.testing.assert_array_equal(batch.target, unflawed(source, keys).image)
    changed = np.asarray(batch.image != batch.target).any(-1)
    assert not changed[np.asarray(batch.mask) == 0].any() and not batch.severity[batch.mask == 0].any()
    np.testing.assert_array_equal(batch.label, changed.any((1, 2)))
    assert 15 < int(batch.label.sum()) < 45 and (batch.has_mask == 1).all()
    np.testing.assert_array_equal(batch.clean, batch.target)


def test_defective_images_stay_as_they_are():
    masks = [np.full((40, 40), label, np.uint8) for label in (0, 1)]
    keys = jax.random.split(jax.random.key(1), 40)
    batch, source = flawed(grey_noise(2), keys, masks=masks, labels=[0, 1], share=1.0, flips=True)
    before = unflawed(source, keys)
    defective = np.asarray(before.label) == 1
    assert 5 < defective.sum() < 35 and (np.asarray(batch.label)[~defective] == 1).mean() > 0.7
    for name, same in (("image", "image"), ("target", "image"), ("mask", "mask"), ("label", "label")):
        np.testing.assert_array_equal(getattr(batch, name)[defective], getattr(before, same)[defective])


def test_images_are_mirrored_before_they_get_a_flaw():
    keys = jax.random.split(jax.random.key(2), 80)
    batch, source = flawed(grey_noise(), keys, share=0.0, flips=True)
    np.testing.assert_array_equal(batch.image, batch.target)
    cut = np.asarray(unflawed(source, keys).image)
    ways = np.stack([cut, cut[:, ::-1], cut[:, :, ::-1], cut[:, ::-1, ::-1]])
    same = (ways == np.asarray(batch.target)).all((2, 3, 4))
    assert (same.sum(0) == 1).all() and (same.sum(1) > 5).all()


def test_noise_is_in_image_and_target_alike():
    keys = jax.random.split(jax.random.key(3), 40)
    noisy, source = flawed(grey_noise(), keys, noise=0.05)
    calm, _ = flawed(grey_noise(), keys)
    grain = np.asarray(noisy.target - calm.target)
    np.testing.assert_allclose(noisy.image - calm.image, grain, atol=1e-6)
    np.testing.assert_array_equal(noisy.mask, calm.mask)
    assert abs(grain.std() - 0.05) < 0.002 and abs(grain.mean()) < 0.002


def test_a_stream_gets_flaws_of_its_own_images():
    images = np.stack(grey_noise(8, size=32))
    made = feed.corrupted(feed.stream(lambda step: iter([{"image": images}] * 9)), kinds=("cutpaste",), share=1.0)
    batch = jit_once(made.make_batch)({"image": images}, jax.random.split(jax.random.key(4), 8))
    assert made.sharded and int(batch.label.sum()) > 5
    np.testing.assert_allclose(batch.target, images.astype(np.float32) / 255, atol=1e-6)


def test_flaws_that_make_no_sense_are_refused():
    source = feed.in_memory(grey_noise(), patch=24)
    with pytest.raises(ValueError, match="no flaw is named 'scratch'"):
        feed.corrupted(source, kinds=("scratch",), share=0.5)
    with pytest.raises(ValueError, match="train.corrupt_share = 2"):
        feed.corrupted(source, kinds=("line",), share=2)
    vectors = feed.vectors(np.zeros((3, 5)), surfaces=[0, 0, 0], labels=[0, 0, 0])
    made = feed.corrupted(vectors, kinds=("line",), share=0.5)
    with pytest.raises(ValueError, match="features of a frozen backbone"):
        made.make_batch(made.inputs(0), jax.random.split(jax.random.key(0), 4))


def test_of_a_pair_only_the_first_image_gets_a_flaw():
    pairs = feed.in_memory(grey_noise(), patch=24, halves=feed.halved(4, seed=0))
    keys = jax.random.split(jax.random.key(5), 12)
    before = unflawed(pairs, keys)
    batch = jit_once(feed.corrupted(pairs, kinds=("cutpaste",), share=1.0).make_batch)(pairs.inputs(0), keys)
    np.testing.assert_array_equal(batch.paired_image, before.paired_image)
    np.testing.assert_array_equal(batch.target, before.image)
    assert not np.array_equal(batch.image, before.image)


def test_with_a_margin_the_border_is_mirrored_and_seen_more_often_than_the_rest():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    wide = feed.in_memory([image], patch=4, masks=[image[..., 0] // 32], margin=3)
    batch = jit_once(wide.make_batch)(wide.inputs(0), jax.random.split(jax.random.key(6), 300))
    grown = np.pad(image[..., 0], 3, "symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(grown, (4, 4)).reshape(-1, 16)
    cut = np.round(np.asarray(batch.image)[..., 0] * 255).astype(np.uint8).reshape(-1, 16)
    assert all((windows == patch).all(1).any() for patch in cut)
    np.testing.assert_array_equal(batch.mask.reshape(-1, 16), cut // 32)
    assert (cut == 0).any(1).mean() > 0.1  # The corner pixel: in 16 + of 121 places instead of in one of 25.
    first = (cut == windows.reshape(11, 11, 16)[0][:, None]).all(2).any(0)
    assert first.mean() == pytest.approx(2 / 13, abs=0.06)  # The first row: a place, and one of 2 x 1 beyond the ends.
    large = feed.in_memory([image], patch=12, margin=6)  # A margin makes room for patches larger than the image.
    assert large.make_batch(large.inputs(0), jax.random.split(jax.random.key(6), 2)).image.shape == (2, 12, 12, 1)
