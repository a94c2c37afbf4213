"""NSA: what it learns to say of a pixel, its rate, its score, and that it outlines a spot it has not seen."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.ndimage

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.detectors import nsa
from jaxdefect.training import feed, loop
from tests.contract.steps import textures, tiny


def test_the_rate_falls_by_half_a_cosine():
    rate = nsa.cosine(1.0, 0.1, 100)
    oracle = optax.cosine_decay_schedule(1.0, 100, alpha=0.1)
    for step in (0, 30, 50, 100, 130):
        assert float(rate(step)) == pytest.approx(float(oracle(step)), abs=1e-6)


def test_the_score_is_the_mean_of_the_worst_pixels():
    maps = jnp.asarray(np.random.default_rng(0).random((2, 10, 20), np.float32))
    ranked = np.sort(np.asarray(maps).reshape(2, -1))
    worst = functools.partial(nsa.worst, maps, size=jnp.array([10, 20]), frame=0)
    np.testing.assert_allclose(worst(20), ranked[:, -10:].mean(1), rtol=1e-6)
    np.testing.assert_allclose(worst(1), ranked.mean(1), rtol=1e-6)
    np.testing.assert_allclose(worst(500), ranked[:, -1], rtol=1e-6)


@pytest.mark.parametrize(("size", "frame"), [((10, 20), 2), ((7, 12), 0), ((7, 12), 3), ((1, 2), 4), ((5, 20), 9)])
def test_neither_mirrored_pixels_nor_the_frame_have_a_part_in_the_score(size, frame):
    maps = np.random.default_rng(0).random((2, 10, 20), np.float32)
    (top, left), (height, width) = (min(frame, (side - 1) // 2) for side in size), size
    inside = np.sort(maps[:, top : height - top, left : width - left].reshape(2, -1))
    count = max(1, inside.shape[1] // 5)
    np.testing.assert_allclose(
        nsa.worst(jnp.asarray(maps), 5, size=jnp.array(size), frame=frame), inside[:, -count:].mean(1), rtol=1e-6
    )


def test_beyond_its_border_an_image_is_mirrored():
    """The map of an image is that of the same image with more of its mirrored self around it."""
    detector, _ = tiny("nsa", margin=16)
    images = jnp.asarray(np.stack(textures(2, 32)), jnp.float32) / 255
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(images))
    bare, _ = tiny("nsa", margin=0)
    around = jnp.pad(images, ((0, 0), (16, 16), (16, 16), (0, 0)), "symmetric")
    shown = loop.jit_once(detector.score)(state, images).map
    np.testing.assert_allclose(shown, loop.jit_once(bare.score)(state, around).map[:, 16:-16, 16:-16], atol=1e-5)


@pytest.mark.parametrize(("views", "axes"), [(2, [(), (2,)]), (4, [(), (2,), (1,), (1, 2)])])
def test_the_map_is_the_mean_over_an_image_and_its_mirrored_selves(views, axes):
    one, several = tiny("nsa", views=1)[0], tiny("nsa", views=views)[0]
    images = jnp.asarray(np.stack(textures(2, 34))[:, :, :31], jnp.float32) / 255
    state = loop.jit_once(one.init)(jax.random.key(0), Batch(images))
    score = loop.jit_once(one.score)
    maps = [jnp.flip(score(state, jnp.flip(images, flip)).map, flip) for flip in axes]
    assert np.abs(maps[0] - maps[1]).max() > 1e-3  # Or the mean would say nothing.
    np.testing.assert_allclose(loop.jit_once(several.score)(state, images).map, np.mean(maps, 0), atol=1e-6)


def test_local_contrast_is_the_same_in_any_light():
    image = jnp.asarray(np.stack(textures(1, 40)), jnp.float32) / 255
    seen = nsa.local_contrast(image, 15)
    np.testing.assert_allclose(nsa.local_contrast(image + 0.2, 15), seen, atol=1e-4)
    np.testing.assert_allclose(nsa.local_contrast(3 * image, 15), seen, rtol=0.07, atol=0.05)  # But for FLAT.
    mean = lambda x: scipy.ndimage.uniform_filter(x, (0, 15, 15, 0))
    apart = np.asarray(image) - mean(np.asarray(image))
    np.testing.assert_allclose(seen, apart / np.sqrt(mean(apart**2) + nsa.FLAT**2), atol=1e-4)


@pytest.mark.parametrize("target", nsa.TARGETS)
def test_it_learns_the_mask_or_the_severity(target):
    detector, config = tiny("nsa", target=target)
    images = jnp.asarray(np.stack(textures(4, 32)), jnp.float32) / 255
    mask = jnp.zeros(images.shape[:3]).at[:, :8].set(1)
    batch = Batch(images, mask=mask, severity=mask / 2, label=jnp.ones(4, jnp.int32))
    state = loop.jit_once(detector.init)(jax.random.key(0), batch)
    step = loop.jit_once(parallel.on_one_device(detector.step))
    key = jax.random.key(0)
    _, metrics = step(state, batch, key)
    wanted = mask if target == "mask" else mask / 2
    assert metrics["loss"] == step(state, batch._replace(mask=wanted, severity=wanted), key)[1]["loss"]
    unknown = step(state, batch._replace(has_mask=jnp.array([1.0, 1, 0, 0])), key)[1]["loss"]
    assert 0 < unknown < metrics["loss"]


def test_it_asks_for_flaws():
    detector, _ = tiny("nsa")
    images = jnp.zeros((2, 32, 32, 1))
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(images))
    with pytest.raises(ValueError, match="set train.supervision = 'simulated', or 'masks'"):
        detector.step(state, Batch(images), jax.random.key(0))


@pytest.mark.parametrize(
    "wrong",
    [{"widths": ()}, {"depth": 0}, {"target": "edges"}, {"one_of": 0}, {"window": 4}, {"margin": -1}, {"views": 3}],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=f"settings.{next(iter(wrong))}"):
        tiny("nsa", **wrong)


@pytest.mark.drill
def test_a_square_it_has_not_seen_stands_out():
    detector, _ = tiny("nsa", widths=(12, 16, 24), steps=250, final_rate=1e-4)
    plain = feed.in_memory(textures(8, 64), patch=48, margin=16)
    flawed = feed.corrupted(plain, kinds=("stain", "cutpaste", "perlin"), share=0.8, most=3, flips=True)
    program = loop.one_run(detector, flawed, key=jax.random.key(0), batch=8)
    state = loop.fit(program, steps=250, log_every=50, save_every=250).state
    image = jnp.asarray(np.stack(textures(1, 64, seed=5)), jnp.float32) / 255
    square = image.at[:, 20:30, 34:44].set(0.95)
    good, bad = detector.score(state, image), detector.score(state, square)
    inside, outside = bad.map[0, 20:30, 34:44].mean(), bad.map[0].at[16:34, 30:48].set(0).mean()
    assert float(inside) > 5 * float(outside)
    assert float(bad.image[0]) > 2 * float(good.image[0])
