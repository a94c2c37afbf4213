"""What is said of a flaw is true: the mask is what was changed, its severity how much, and the label whether."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.flaws import corruption
from jaxdefect.flaws.kinds import KINDS, contrast
from jaxdefect.training.loop import jit_once
from tests.jaxdefect.flaws.flawed_textures import SIZES, all_kinds, corrupt, each_size, keys, made, textures

pytestmark = pytest.mark.xdist_group("flaws")  # Two files share what is compiled.
SOME = ("spot", "nsa")  # a painted and a blended one


@each_size
@pytest.mark.parametrize("kind", KINDS)
def test_masks_mark_what_was_changed_and_labels_whether(kind, shape):
    images, flawed = made(shape)
    image, mask, severity, label = flawed[kind]
    assert mask.shape == images.shape[:3] and set(np.unique(mask)) <= {0, 1}
    np.testing.assert_array_equal(image[mask == 0], images[mask == 0])
    changed = (image != images).any(-1)
    assert (changed[mask > 0]).mean() > 0.5  # The mask is a mean over 3 x 3 pixels.
    np.testing.assert_array_equal(label, mask.any((1, 2)))
    np.testing.assert_array_equal(label, changed.any((1, 2)))
    assert label.dtype == np.int32


@each_size
@pytest.mark.parametrize("kind", KINDS)
def test_severity_is_how_much_was_changed(kind, shape):
    images, flawed = made(shape)
    image, mask, severity, _ = flawed[kind]
    assert (severity[mask == 0] == 0).all() and severity.max() <= 1
    assert severity[mask > 0].min() > 0.05
    change = np.abs(image - images).max(-1) / np.asarray(jax.vmap(contrast)(images))[:, None, None]
    weak, strong = (severity[(mask > 0) & part] for part in (change < 1, change > 3))
    if len(strong):
        assert weak.mean() < 0.5 < strong.mean()


def test_the_same_key_gives_the_same_flaw_and_others_others():
    images, flawed = made(SIZES[1])
    again = all_kinds(keys(), images, np.roll(images, 1, 0))
    for kind in KINDS:
        jax.tree.map(np.testing.assert_array_equal, again[kind], flawed[kind])
        masks = flawed[kind].mask[flawed[kind].label > 0]
        assert len(np.unique(masks.reshape(len(masks), -1), axis=0)) > 0.9 * len(masks)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_share_of_the_images_gets_a_flaw(share):
    """The share is a number to compute with: all are one program."""
    images = textures(SIZES[0], count=200)
    flawed = corrupt(keys(200), images, np.roll(images, 1, 0), kinds=("spot", "cutpaste"), share=share)
    assert flawed.label.mean() == pytest.approx(share, abs=0.08 if share else 0)
    good = flawed.label == 0
    np.testing.assert_array_equal(flawed.image[good], images[good])
    assert not flawed.severity[good].any()
    large = (flawed.mask.mean((1, 2)) > 0.035)[~good]  # No spot is, and nearly all pieces of another image are.
    assert not share or 0.35 < large.mean() < 0.65  # Both kinds are drawn equally often.


@pytest.mark.drill
def test_a_kind_that_is_named_twice_is_drawn_twice_as_often():
    """An image with a spot is the one that spots alone would leave; where they would leave none, nothing is known."""
    images = textures(SIZES[0], count=200)
    drawn = [
        corrupt(keys(200), images, images, kinds=kinds, share=1.0) for kinds in (("spot", "spot", "scar"), ("spot",))
    ]
    same = (drawn[0].image == drawn[1].image).all((1, 2, 3))[drawn[1].label > 0]
    assert same.mean() == pytest.approx(2 / 3, abs=0.1)


def test_a_sample_is_flawed_alike_in_any_batch():
    """So that any number of devices makes the same of it."""
    images, other = textures(SIZES[0], count=16), textures(SIZES[0], count=16, seed=1)
    whole = corrupt(keys(16), images, other, kinds=SOME, share=0.8)
    parts = [corrupt(keys(16)[part], images[part], other[part], kinds=SOME, share=0.8)
             for part in (slice(0, 8), slice(8, 16))]  # fmt: skip
    joined = jax.tree.map(lambda *x: np.concatenate(x), *parts)
    assert 0 < np.mean(whole.label) < 1
    np.testing.assert_array_equal(joined.label, whole.label)
    np.testing.assert_array_equal(joined.mask, whole.mask)
    np.testing.assert_allclose(joined.image, whole.image, atol=1e-5)
    np.testing.assert_allclose(joined.severity, whole.severity, atol=1e-4)


def test_runs_side_by_side_get_the_flaws_of_each_alone():
    images = textures(SIZES[0], count=8)
    many = jax.random.split(jax.random.key(5), (2, 8))
    shares = jnp.array([0.0, 1.0])
    one_run = lambda keys, share: corruption.corrupt(keys, images, images[::-1], kinds=SOME, share=share)
    side_by_side = jit_once(jax.vmap(one_run))(many, shares)
    for run, share in enumerate(shares):
        alone = corrupt(many[run], images, images[::-1], kinds=SOME, share=share)
        np.testing.assert_array_equal(side_by_side.label[run], alone.label)
        np.testing.assert_array_equal(side_by_side.mask[run], alone.mask)
        np.testing.assert_allclose(side_by_side.image[run], alone.image, atol=1e-5)


def test_half_of_the_images_are_mirrored_and_half_turned_over():
    images = textures((16, 20, 1), count=1).repeat(400, 0)
    flipped = np.asarray(corruption.flipped(keys(400), images))
    ways = [images[0], images[0, ::-1], images[0, :, ::-1], images[0, ::-1, ::-1]]
    counts = [sum(np.array_equal(image, way) for image in flipped) for way in ways]
    assert sum(counts) == 400 and min(counts) > 70


@pytest.mark.parametrize("kinds, share, noise, said", [
    ((), 0.5, 0.0, "train.corrupt names no flaw; give some of stain, spot"),
    (("stain", "lines"), 0.5, 0.0, "no flaw is named 'lines'; did you mean 'line'"),
    ((2**64,), 0.5, 0.0, "no flaw is named 18446744073709551616"),
    (("stain",), 1.5, 0.0, "train.corrupt_share = 1.5; give a share of the images from 0 to 1"),
    (("stain",), -0.1, 0.0, "train.corrupt_share = -0.1"),
    (("stain",), float("nan"), 0.0, "train.corrupt_share = nan"),
    (("stain",), 0.5, 12.0, "train.corrupt_noise = 12.0; give a standard deviation of pixels"),
    (("stain",), 0.5, -0.1, "train.corrupt_noise = -0.1"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(kinds, share, noise, said):
    with pytest.raises(ValueError, match=said):
        corruption.check(kinds, share, noise)


def test_no_flaw_at_all_is_refused():
    with pytest.raises(ValueError, match="train.corrupt_most = 0; give how many flaws an image gets at most"):
        corruption.check(("stain",), 0.5, most=0)


def test_what_makes_sense_is_not_refused():
    for share in (0, 0.5, 1):
        corruption.check(tuple(KINDS), share, 0.05)


@pytest.mark.parametrize("size", [(15, 64), (64, 12)])
def test_images_too_small_for_a_flaw_are_refused(size):
    images = jnp.zeros((2, *size, 1))
    with pytest.raises(ValueError, match=f"at least 16 x 16 pixels, got {size[0]} x {size[1]}; use a larger train"):
        corruption.corrupt(keys(2), images, images, kinds=("stain",))


def test_the_smallest_images_get_flaws():
    images = textures((16, 16, 1), count=32)
    flawed = corrupt(keys(32), images, images[::-1], kinds=("nsa",))
    assert flawed.label.mean() > 0.3 and np.isfinite(flawed.image).all()


@pytest.mark.drill
def test_further_flaws_come_on_top_of_the_first():
    images, other = textures(SIZES[0], count=60), textures(SIZES[0], count=60, seed=1)
    single = corrupt(keys(60), images, other, kinds=SOME, share=0.5)
    draw = jit_once(functools.partial(corruption.corrupt, kinds=SOME, most=4))
    several = jax.device_get(draw(keys(60), images, other))
    np.testing.assert_array_equal(several.label, single.label)  # As many images stay good.
    assert (several.mask >= single.mask).all() and several.mask.mean() > 1.5 * single.mask.mean()
    np.testing.assert_array_equal(several.image[several.mask == 0], images[several.mask == 0])
