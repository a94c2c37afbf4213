"""What keeps a discriminator from winning: changes of images, the slope at real ones, spectral normalisation."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.losses import balance
from jaxdefect.networks.blocks import Conv, spectral
from jaxdefect.training.loop import jit_once
from tests.contract.steps import textures, tiny

IMAGES = jax.random.uniform(jax.random.key(0), (40, 16, 24, 3), minval=-1, maxval=1)
KEYS = jax.random.split(jax.random.key(1), len(IMAGES))


def shown(*names):
    return np.asarray(balance.shown(IMAGES, KEYS, names))


def test_without_a_name_images_are_shown_as_they_are():
    assert balance.shown(IMAGES, KEYS, ("r1", "spectral")) is IMAGES


def test_brightness_adds_one_number_to_an_image():
    added = shown("brightness") - IMAGES
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1, :1, :1], added.shape), atol=1e-6)
    assert np.abs(added).max() <= 0.5 and np.unique(added[:, 0, 0, 0].round(6)).size == len(IMAGES)


def test_contrast_keeps_the_mean_and_stretches_the_rest():
    changed, axes = shown("contrast"), (1, 2, 3)
    np.testing.assert_allclose(changed.mean(axes), np.mean(IMAGES, axes), atol=1e-6)
    ratio = changed.std(axes) / np.std(IMAGES, axes)
    assert 0.5 <= ratio.min() < 0.75 and 1.25 < ratio.max() <= 1.5


def test_a_translation_moves_an_image_by_an_eighth_of_its_side_at_most():
    padded, moves = np.pad(IMAGES, ((0, 0), (2, 2), (3, 3), (0, 0))), set()
    for image, moved in zip(padded, shown("translation"), strict=True):
        equal = [(y, x) for y in range(5) for x in range(7) if np.array_equal(image[y : y + 16, x : x + 24], moved)]
        assert len(equal) == 1
        moves |= set(equal)
    assert {y for y, _ in moves} == set(range(5)) and {x for _, x in moves} == set(range(7))


def test_cutout_leaves_a_rectangle_grey_and_the_rest_as_it_is():
    cut = shown("cutout")
    gone = np.all(cut == 0, -1)
    assert np.array_equal(cut[~gone], np.asarray(IMAGES)[~gone])
    for hole in gone:
        rows, columns = hole.any(1), hole.any(0)
        assert np.array_equal(hole, rows[:, None] & columns[None])
        assert rows.sum() in range(4, 9) and columns.sum() in range(6, 13)  # Half a side, or less at the border.


def test_the_generator_learns_through_every_change():
    slope = jax.grad(lambda images: jnp.sum(jnp.square(balance.shown(images, KEYS, tuple(balance.CHANGES)))))(IMAGES)
    assert np.isfinite(slope).all() and np.all(np.abs(slope).max((1, 2, 3)) > 0)


def test_r1_of_a_linear_verdict_is_half_its_squared_slope():
    slope = jax.random.normal(jax.random.key(2), IMAGES.shape[1:])
    verdict = lambda images: jnp.einsum("bhwc,hwc->b", images, slope)
    np.testing.assert_allclose(balance.r1(verdict, IMAGES), np.sum(np.square(slope)) / 2, rtol=1e-5)


def test_a_spectral_kernel_has_a_largest_singular_value_of_one():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return spectral(Conv(8, 3, 1), use=True, train=train)(x)

    net, images = Net(), IMAGES[:2]
    variables = net.init(jax.random.key(3), images, train=True)
    for _ in range(60):
        _, stats = net.apply(variables, images, train=True, mutable=["batch_stats"])
        variables = variables | stats
    (kernel,) = (leaf for leaf in jax.tree.leaves(variables["params"]) if leaf.ndim == 4)
    by_hand = kernel / np.linalg.svd(np.reshape(kernel, (-1, 8)), compute_uv=False)[0]
    expected = jax.lax.conv_general_dilated(images, by_hand, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    np.testing.assert_allclose(net.apply(variables, images, train=False), expected, rtol=2e-4, atol=2e-4)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"settings.critic_balance holds 'dropout'; use any of brightness, .*spectral"):
        balance.check(("r1", "dropout"))


def after(count, name, **settings):
    """The state and the metrics of a tiny detector after so many steps on textures."""
    detector, config = tiny(name, **settings)
    images = jnp.asarray(np.stack(textures(config.train.batch, config.settings.size)), jnp.float32) / 255
    state, metrics = jit_once(detector.init)(jax.random.key(0), Batch(images)), {}
    step = jit_once(parallel.on_one_device(detector.step))
    for number in range(count):
        state, metrics = step(state, Batch(images), jax.random.key(number))
    return state, metrics


@pytest.mark.drill
@pytest.mark.parametrize("name", ["ganomaly", "maa", "alocc", "efficient_gan"])
def test_a_slope_that_costs_keeps_a_discriminator_from_winning(name):
    rate = {"critic_rate" if name == "maa" else "learning_rate": 3e-3}
    free, kept = (
        after(8, name, critic_balance=("r1",), r1=weight, **rate)[1]["critic_loss"] for weight in (0.0, 100.0)
    )
    assert np.isfinite(kept) and kept > free + 0.02


@pytest.mark.drill
@pytest.mark.parametrize("name", ["ganomaly", "maa", "alocc", "efficient_gan", "f_anogan"])
def test_what_is_shown_changed_is_learned_from(name):
    state, metrics = after(2, name, critic_balance=tuple(balance.CHANGES))
    plain, _ = after(2, name)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((state, metrics)) if leaf.dtype.kind == "f")
    assert any(np.any(a != b) for a, b in zip(*map(jax.tree.leaves, (state, plain)), strict=True))


@pytest.mark.drill
@pytest.mark.parametrize("name", ["ganomaly", "maa", "alocc", "efficient_gan"])
def test_a_spectral_discriminator_has_no_batch_normalisation(name):
    state, metrics = after(2, name, critic_balance=("spectral",))
    assert all(np.isfinite(value) for value in jax.tree.leaves(metrics))
    paths = [
        "/".join(str(key) for key in path) for path, _ in jax.tree.leaves_with_path(state.discriminator.batch_stats)
    ]
    assert paths and all("SpectralNorm" in path for path in paths)


def test_f_anogan_whose_critic_has_its_own_penalty_takes_changes_alone():
    with pytest.raises(ValueError, match="settings.critic_balance holds 'r1'; use any of brightness, .*cutout$"):
        tiny("f_anogan", critic_balance=("r1",))
