"""What all detectors of patches of a frozen backbone promise: sums and samples fold, spots stand out."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.jaxdefect.backbones.drawn_backbones import gathered, one_by_one, sample_images

pytestmark = pytest.mark.usefixtures("backbones_are_drawn_quickly")

YARDSTICKS = ("feature_gaussian", "padim", "patchcore")


@pytest.mark.parametrize("name", YARDSTICKS)
def test_images_may_come_one_by_one_or_together(name):
    images = sample_images(6)
    (detector, one), (_, together) = (gathered(name, batches) for batches in (one_by_one(images), [images]))
    a, b = (detector.score(state, sample_images(2, seed=1)).map for state in (one, together))
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * float(a.max()))


@pytest.mark.parametrize("name", ["feature_gaussian", "padim"])
def test_the_order_of_images_does_not_matter_to_a_gaussian(name):
    images = one_by_one(sample_images(6))
    (detector, one), (_, turned) = (gathered(name, batches) for batches in (images, images[::-1]))
    a, b = (detector.score(state, sample_images(2, seed=1)).map for state in (one, turned))
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * float(a.max()))


@pytest.mark.parametrize("name", YARDSTICKS)
def test_a_spot_is_the_worst_place_of_a_image(name):
    detector, state = gathered(name, [sample_images(40)])
    good = sample_images(2, seed=1)
    spoiled = good.at[0, 36:46, 18:28].set(1.0)
    scores = detector.score(state, spoiled)
    row, column = np.unravel_index(np.asarray(scores.map[0]).argmax(), scores.map.shape[1:])
    assert 34 <= row <= 48 and 16 <= column <= 30
    assert scores.image[0] > 1.2 * scores.image[1]


@pytest.mark.parametrize("name", YARDSTICKS)
@pytest.mark.parametrize("value", [None, 0.0, 0.5])
def test_one_image_even_a_constant_one_breaks_nothing(name, value):
    only = sample_images(1) if value is None else jnp.full((1, 64, 64, 1), value)
    detector, state = gathered(name, [only])
    for images in (only, sample_images(1, seed=1), jnp.ones((1, 30, 90, 1))):
        scores = detector.score(state, images)
        assert bool(jnp.isfinite(scores.map).all()) and bool(jnp.isfinite(scores.image).all())


@pytest.mark.parametrize("name", ["feature_gaussian", "patchcore"])
def test_normal_images_may_have_several_sizes(name):
    sizes = [(64, 64), (40, 90), (20, 20)]
    detector, state = gathered(name, [sample_images(1, 96)[:, :height, :width] for height, width in sizes])
    assert bool(jnp.isfinite(detector.score(state, sample_images(1)).map).all())
