"""Detectors on a frozen backbone: cells lie where they say, sums and samples fold, distances are those of scipy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.spatial.distance as distances

from jaxdefect import backbones
from jaxdefect.backbones import patch_features
from jaxdefect.detectors import padim, patchcore
from tests.steps import textures, tiny
from tests.test_coreset import greedy

YARDSTICKS = ("feature_gaussian", "padim", "patchcore")


as_drawn = backbones.init


@functools.cache
def drawn(name):
    """Random variables of a backbone, by numpy: JAX would compile a program for each shape of kernel."""
    shapes = jax.eval_shape(lambda: as_drawn(backbones.load(name, width=4), jax.random.key(0)))
    rng = np.random.default_rng(0)

    def fill(path, leaf):
        if path[-1].key in ("scale", "var"):
            return np.ones(leaf.shape, np.float32)
        return rng.normal(0, np.sqrt(2 / np.prod(leaf.shape[:-1])), leaf.shape).astype(np.float32)

    return jax.tree.map_with_path(fill, shapes) | {
        "input": {key: np.array(value, np.float32) for key, value in backbones.IMAGENET.items()}
    }


@pytest.fixture(autouse=True)
def backbones_are_drawn_quickly(monkeypatch):
    monkeypatch.setattr(backbones, "init", lambda backbone, key: drawn(backbone.name))


def sample_images(count=4, size=64, seed=0):
    return jnp.asarray(np.stack(textures(count, size, seed=seed)), jnp.float32) / 255


def joined(**settings):
    common = {"backbone": "small", "width": 4, "file": "", "stages": (0, 1), "size": 0, "margin": 0, "smoothing": 0}
    seen = patch_features.feature_maps(**(common | settings))
    return seen._replace(cells=jax.jit(seen.cells))


@functools.cache
def compiled(name, **settings):
    """(detector with compiled functions, its first state)."""
    detector, _ = tiny(name, **settings)
    state = detector.init(jax.random.key(0), None)
    fast = {part: jax.jit(getattr(detector, part)) for part in ("score", "calibrate", "finalize")}
    return detector._replace(**fast), state


def gathered(name, batches, **settings):
    """(detector, its state closed over these batches of normal images)."""
    detector, state = compiled(name, **settings)
    for batch in batches:
        state = detector.calibrate(state, batch)
    return detector, detector.finalize(state)


def one_by_one(images):
    return [image[None] for image in images]


# Where cells lie


@pytest.mark.parametrize(("name", "stage"), [("small", 1), ("squeezenet", 1), ("resnet18", 0), ("vgg16", 1)])
def test_a_cell_lies_in_the_middle_of_what_it_sees(name, stage):
    backbone, sides, cell = backbones.load(name, width=4)._replace(size=0), (96, 32), {"resnet18": 8}.get(name, 5)
    variables = drawn(name)
    image = jax.random.uniform(jax.random.key(1), (1, *sides, 3))
    lines = image + 5 * jnp.eye(sides[0])[:, :, None, None]  # One row of each is bright.
    maps = jax.jit(lambda x: backbones.maps(backbone, variables, x)[stage][:, cell])(jnp.concatenate([image, lines]))
    seen = np.flatnonzero(np.abs(maps[1:] - maps[0]).max((1, 2)) > 1e-6 * np.abs(maps).max())
    stride, first = patch_features.geometry(name, stage)
    assert seen[0] > 0 and seen[-1] < sides[0] - 1
    assert abs((seen[0] + seen[-1]) / 2 - (first + stride * cell)) <= 1  # Few of the outermost pixels matter.


def test_every_backbone_has_a_geometry():
    assert set(patch_features.GEOMETRY) == set(backbones.names())


@pytest.mark.parametrize("name", ["small", "squeezenet", "vgg16", "resnet18"])
@pytest.mark.parametrize("side", [64, 71])
def test_cells_begin_within_half_a_stride_of_the_first_pixel(name, side):
    for stage in range(2):
        stride, _ = patch_features.geometry(name, stage)
        places = patch_features.centres(name, stage, side)
        assert abs(places[0]) <= stride / 2 and side - stride <= places[-1] < side
        np.testing.assert_array_equal(np.diff(places), stride)


def test_with_a_margin_a_constant_image_looks_alike_everywhere():
    flat = jnp.full((1, 70, 90, 1), 0.4)
    spread = {}
    for margin in (0, 48):
        seen = joined(backbone="squeezenet", margin=margin)
        variables = seen.init(jax.random.key(0))
        cells = np.asarray(jax.jit(seen.cells)(variables, flat))
        spread[margin] = np.abs(cells - cells[:, 9:10, 9:10]).max() / np.abs(cells).max()
    assert spread[48] < 1e-5 < 0.05 < spread[0]


def test_a_image_moved_by_a_stride_moves_its_cells_by_one():
    seen = joined(margin=16)
    variables = seen.init(jax.random.key(0))
    wide = sample_images(1, 128)
    cells, moved = (seen.cells(variables, x) for x in (wide[:, :96, :96], wide[:, 4:100, 4:100]))
    inside = slice(6, -8)  # Stage 0 has a cell for every 2 pixels, stage 1 for every 4.
    np.testing.assert_allclose(cells[:, 2:, 2:][:, inside, inside], moved[:, :-2, :-2][:, inside, inside], atol=1e-5)


def test_a_bright_cell_comes_back_where_it_lies():
    seen = joined(stages=(1, 0))
    values = jnp.zeros((1, 16, 16)).at[0, 5, 9].set(1)
    found = np.asarray(seen.to_pixels(values, 64, 64))[0]
    assert np.unravel_index(found.argmax(), found.shape) == (5 * 4, 9 * 4) and found.max() == 1


def test_small_images_are_seen_like_their_mirrored_continuation():
    seen = joined()
    variables = seen.init(jax.random.key(0))
    small = sample_images(1)[:, :20, :40]
    whole = jnp.asarray(np.pad(small, ((0, 0), (0, 44), (0, 24), (0, 0)), "symmetric"))
    cells = seen.cells(variables, small)
    assert cells.shape[1:3] == (10, 20)
    np.testing.assert_allclose(cells, seen.cells(variables, whole)[:, :10, :20], atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 50, 37), (1, 9, 30)])
def test_smoothing_is_that_of_scipy(shape):
    maps = np.random.default_rng(0).random(shape, np.float32)
    expected = np.stack([scipy.ndimage.gaussian_filter(each, 4) for each in maps])
    np.testing.assert_allclose(patch_features.gaussian_smoothed(maps, 4), expected, atol=1e-5)


def test_sampling_is_that_of_scipy():
    maps = np.random.default_rng(0).random((1, 8, 9, 1), np.float32)
    rows, columns = np.array([-1, 0, 0.25, 6.5, 7.9]), np.array([0, 3.5, 8])
    grid = np.meshgrid(rows, columns, indexing="ij")
    expected = scipy.ndimage.map_coordinates(maps[0, ..., 0], grid, order=1, mode="nearest")
    np.testing.assert_allclose(patch_features.sampled(maps, rows, columns)[0, ..., 0], expected, atol=1e-6)


# Detectors


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


def test_gaussian_of_all_cells_is_that_of_numpy():
    images = sample_images(5)
    detector, state = gathered("feature_gaussian", one_by_one(images), smoothing=0, margin=0)
    seen = joined()
    cells = np.asarray(seen.cells(state.backbone, images), np.float64).reshape(-1, seen.channels)
    np.testing.assert_allclose(state.mean, cells.mean(0), rtol=1e-4, atol=1e-5)
    white = (cells - cells.mean(0)) @ np.asarray(state.whitening, np.float64).T
    alive = cells.std(0) > 0  # Some features of a random backbone are 0 everywhere.
    correlation = np.corrcoef(cells[:, alive].T) + 0.01 * np.eye(alive.sum())
    scaled = ((cells - cells.mean(0)) / np.where(alive, cells.std(0), 1))[:, alive]
    expected = np.einsum("nf,fg,ng->n", scaled, np.linalg.inv(correlation), scaled)
    np.testing.assert_allclose((white**2).sum(1), expected, rtol=0.02, atol=0.01)


def test_features_may_be_projected_on_a_few_directions():
    detector, state = gathered("feature_gaussian", one_by_one(sample_images(4)), channels=5)
    assert state.whitening.shape == (5, 5) and detector.score(state, sample_images(1)).map.shape == (1, 64, 64)


def test_padim_is_the_mahalanobis_distance_of_scipy_at_each_place():
    images, tested = sample_images(9), sample_images(1, seed=1)
    detector, state = gathered("padim", one_by_one(images), smoothing=0, ridge=0.05)
    seen = joined(size=64)
    cells = lambda x: np.asarray(seen.cells(state.backbone, x), np.float64)[..., np.asarray(state.chosen)]
    known, found = cells(images), cells(tested)[0]
    centred = known - known.mean(0)
    covariances = np.einsum("nhwf,nhwg->hwfg", centred, centred) / 8
    ridge = 0.05 * np.mean(np.diagonal(covariances, axis1=-2, axis2=-1))
    expected = [
        distances.mahalanobis(found[i, j], known[:, i, j].mean(0), np.linalg.inv(covariances[i, j] + ridge * np.eye(6)))
        for i, j in ((0, 0), (7, 20), (31, 31))
    ]
    scores = np.asarray(detector.score(state, tested).map)[0]
    np.testing.assert_allclose([scores[0, 0], scores[14, 40], scores[62, 62]], expected, rtol=2e-3)
    np.testing.assert_allclose(padim.gaussian(state)[1], covariances, atol=1e-3 * covariances.max())


def test_patchcore_measures_the_distance_to_the_nearest_cell_of_its_coreset():
    images, tested = sample_images(3), sample_images(1, seed=1)
    detector, state = gathered("patchcore", one_by_one(images), smoothing=0, neighbours=0, projection_size=0)
    seen = joined(size=64)
    vectors = np.asarray(state.bank.vectors, np.float64)
    unit = np.sqrt(vectors.var(0).sum())
    np.testing.assert_allclose(state.unit, unit, rtol=1e-4)
    chosen = vectors[greedy(vectors, 20)]
    found = np.asarray(seen.cells(state.backbone, tested), np.float64).reshape(-1, seen.channels)
    expected = distances.cdist(found, chosen).min(1) / unit
    scores = detector.score(state, tested)
    np.testing.assert_allclose(np.asarray(scores.map)[0, ::2, ::2].ravel(), expected, rtol=1e-3)
    np.testing.assert_allclose(scores.image, expected.max(), rtol=1e-3)


def test_the_weight_of_a_image_is_that_of_the_paper():
    rng = np.random.default_rng(0)
    queries, bank = rng.normal(size=(4, 6)) * 2, rng.normal(size=(30, 6))
    known = np.arange(30) < 20
    apart = distances.cdist(queries, bank)[:, known]
    nearest = apart.argmin(1)
    around = np.argsort(distances.cdist(bank[known], bank[known])[nearest], 1)[:, :5]
    expected = 1 - np.exp(apart.min(1)) / np.exp(np.take_along_axis(apart, around, 1)).sum(1)
    arrays = [jnp.asarray(x, jnp.float32) for x in (queries, bank)]
    found = patchcore.weight(arrays[0], jnp.asarray(nearest), arrays[1], jnp.asarray(known), neighbours=5)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_reservoir_with_few_cells_is_known_as_such():
    _, state = gathered("patchcore", [sample_images(1)[:, :8, :8]], size=0, bank=50)  # 16 cells of 2 pixels
    assert int(state.distinct) == 16


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("feature_gaussian", {"stages": (0, 0)}, "settings.stages"),
        ("feature_gaussian", {"stages": (9,)}, "settings.stages"),
        ("feature_gaussian", {"size": 10}, "settings.size"),
        ("feature_gaussian", {"channels": -1}, "settings.channels"),
        ("padim", {"size": 0}, "settings.size"),
        ("padim", {"channels": 500}, "settings.channels"),
        ("patchcore", {"coreset": 1000}, "settings.coreset"),
        ("patchcore", {"neighbours": 1}, "settings.neighbours"),
        ("patchcore", {"projection_size": -2}, "settings.projection_size"),
    ],
)
def test_settings_that_cannot_be_are_named(name, settings, message):
    with pytest.raises(ValueError, match=message):
        tiny(name, **settings)
