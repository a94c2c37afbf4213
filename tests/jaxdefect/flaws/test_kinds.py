"""Every kind of flaw, on images of several sizes: how large, how strong, and where."""

import jax
import numpy as np
import pytest

from jaxdefect.flaws import kinds
from jaxdefect.training.loop import jit_once
from tests.jaxdefect.flaws.flawed_textures import SIZES, all_kinds, each_size, keys, made, textures

pytestmark = pytest.mark.xdist_group("flaws")  # Two files share what is compiled.
# Shares of 128 x 128 pixels between which the median mask lies, and the largest one's; measured medians, in percent:
# .6, .2, .7, 4.6, 1.5, 6.1, .1, 1.7, 3.0.
AREAS = {
    "stain": (0.002, 0.02, 0.12), "spot": (0.0005, 0.006, 0.02), "line": (0.001, 0.02, 0.1),
    "perlin": (0.01, 0.2, 0.6), "nsa": (0.004, 0.08, 0.5), "cutpaste": (0.02, 0.12, 0.17),
    "scar": (0.0005, 0.01, 0.02), "smear": (0.004, 0.08, 0.4), "fold": (0.01, 0.1, 0.4),
    "slip": (0.004, 0.08, 0.3),
}  # fmt: skip


@each_size
@pytest.mark.parametrize("kind", kinds.KINDS)
def test_flawed_images_are_images(kind, shape):
    images, flawed = made(shape)
    image = flawed[kind].image
    assert image.shape == images.shape and image.dtype == np.float32
    assert np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1


@each_size
@pytest.mark.parametrize("kind", kinds.KINDS)
def test_most_flaws_are_seen(kind, shape):
    _, flawed = made(shape)
    assert flawed[kind].label.mean() > 0.7


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_flaws_are_from_barely_seen_to_severe(kind):
    """At least one of COUNT is at most half severe at its worst, and one nearly wholly."""
    _, flawed = made(SIZES[-1])
    worst = flawed[kind].severity.max((1, 2))[flawed[kind].label > 0]
    assert worst.min() < 0.55 and worst.max() > 0.7, (worst.min(), worst.max())


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_masks_are_as_large_as_flaws_of_their_kind(kind):
    _, flawed = made(SIZES[-1])
    share = flawed[kind].mask.mean((1, 2))[flawed[kind].label > 0]
    low, high, most = AREAS[kind]
    assert low < np.median(share) < high and share.max() < most, (np.median(share), share.max())


@pytest.mark.parametrize("flat", ["image", "source", "both"])
def test_flat_images_and_sources_break_nothing(flat):
    images = textures(SIZES[1])
    grey = np.zeros_like(images) + np.array([0, 0.5, 1], np.float32).repeat(len(images) // 3)[:, None, None, None]
    flawed = all_kinds(keys(), images if flat == "source" else grey, images if flat == "image" else grey)
    for kind, (image, _, severity, _) in flawed.items():
        assert np.isfinite(image).all() and float(image.min()) >= 0 and float(image.max()) <= 1, kind
        assert np.isfinite(severity).all(), kind


@pytest.fixture(scope="module")
def twice_the_contrast():
    """{kind: (changes, changes of the same images with twice the contrast)} where neither is cut off at 0 or 1."""
    images = textures(SIZES[1], contrast=0.04)
    stronger = 0.5 + 2 * (images - 0.5)
    weak, strong = (jax.device_get(all_kinds(keys(), x, np.roll(x, 1, 0))) for x in (images, stronger))
    changes = {}
    for kind in kinds.KINDS:
        less, more = weak[kind].image, strong[kind].image
        inside = (more.min((1, 2, 3)) > 0) & (more.max((1, 2, 3)) < 1)
        changes[kind] = (less - images)[inside], (more - stronger)[inside]
    return changes


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_flaws_are_as_strong_as_the_contrast(kind, twice_the_contrast):
    change, doubled = twice_the_contrast[kind]
    assert len(change) > 12 and change.any()
    assert np.isclose(doubled, 2 * change, atol=1e-4).mean() > 0.999  # Some textures were cut off before they covered.


def test_contrast_is_that_of_neighbours_and_never_0():
    contrast = jit_once(kinds.contrast)
    image = textures((64, 64, 1), count=1)[0]
    light = np.linspace(-0.2, 0.2, 64, dtype=np.float32)[:, None, None]  # from above to below
    assert float(contrast(image + light)) == pytest.approx(float(contrast(image)), rel=0.02)
    assert float(contrast(0.5 + 3 * (image - 0.5))) == pytest.approx(3 * float(contrast(image)), rel=1e-4)
    assert float(contrast(np.full((64, 64, 1), 0.5, np.float32))) == pytest.approx(kinds.FLAT)


def test_a_source_from_elsewhere_has_no_seam():
    ramp = np.arange(15, dtype=np.float32)[:, None, None] + 100 * np.arange(9, dtype=np.float32)[None, :, None]
    moved = np.asarray(jax.jit(jax.vmap(kinds.elsewhere, (0, None)))(keys(300), ramp))[..., 0]
    assert set(np.abs(np.diff(moved, axis=1)).ravel()) == {0, 1}
    assert set(np.abs(np.diff(moved, axis=2)).ravel()) == {0, 100}
    assert len({image.tobytes() for image in moved}) > 150  # of 30 x 18 ways


def test_sampling_takes_pixels_as_they_are_and_mirrors_beyond_the_edges():
    image = np.random.default_rng(0).uniform(0, 1, (6, 9, 2)).astype(np.float32)
    rows, columns = np.arange(-5, 12.0)[:, None], np.arange(-8, 18.0)
    padded = np.pad(image, ((5, 6), (8, 9), (0, 0)), "reflect")
    np.testing.assert_array_equal(kinds.sample(image, rows, columns), padded)
    middle = kinds.sample(image, np.array([[1.5]]), np.array([3.25]))[0, 0]
    around = image[1:3, 3:5].mean(0)
    np.testing.assert_allclose(middle, 0.75 * around[0] + 0.25 * around[1], rtol=1e-5)


def test_pieces_of_the_source_keep_clear_of_the_images_border():
    """The border gives the blend its values."""
    images = textures((32, 48, 1), count=1)
    draw = jit_once(jax.vmap(kinds.nsa, (0, None, None)))
    changed = np.asarray(draw(keys(400), images[0], 1 - images[0]))[..., 0] != images[0, ..., 0]
    assert not changed[:, [0, -1]].any() and not changed[:, :, [0, -1]].any()
    reached = changed.any(0)
    assert reached[1:-1, 1:-1].mean() > 0.99  # and come everywhere else


def test_colours_change_together():
    """A dark spot is dark in all channels, if not equally."""
    image = textures((16, 16, 3), count=1)[0]
    shades = np.asarray(jit_once(jax.vmap(kinds.shade, (0, None)))(keys(400), image))
    assert (np.sign(shades).std(-1) == 0).mean() > 0.95 and (np.ptp(shades, axis=-1) > 0).all()
