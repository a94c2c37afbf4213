"""Tiles against whole images; from uint8 to mask in one call."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdefect
from jaxdefect import scoring
from jaxdefect.maps.tiling import Tiles
from jaxdefect.training import loop
from tests.jaxdefect.blurring import blur_detector


def uniform(seed, *shape):
    return jax.random.uniform(jax.random.key(seed), shape)


def in_tiles(detector, images, tiles):
    return loop.jit_once(lambda images: scoring.score_tiled(detector, 1.0, images, tiles))(images)


@pytest.mark.parametrize("height, width", [(96, 96), (150, 201)])
def test_tiles_equal_the_whole_image_away_from_its_border(height, width):
    tiles, reach = Tiles(64, 32), 8  # The outer quarter of the overlap is dropped: 8 pixels.
    detector = blur_detector(reach)
    images = uniform(1, 2, height, width, 1)
    whole = detector.score(1.0, images)
    tiled = in_tiles(detector, images, tiles)
    inner = np.s_[:, reach : -reach or None, reach : -reach or None]
    np.testing.assert_allclose(tiled.map[inner], whole.map[inner], rtol=1e-5)
    np.testing.assert_allclose(tiled.reconstruction, images, atol=1e-6)
    assert not np.allclose(in_tiles(detector, images, Tiles(64, 4)).map[inner], whole.map[inner])


def test_many_tiles_are_scored_in_turn_to_the_same_result(monkeypatch):
    detector, images = blur_detector(2), uniform(0, 1, 128, 128, 1)
    at_once = in_tiles(detector, images, Tiles(32, 8))
    monkeypatch.setattr(scoring, "PIXELS_AT_ONCE", 4 * 32**2)
    in_turn = in_tiles(detector, images, Tiles(32, 8))
    for a, b in zip(jax.tree.leaves(at_once), jax.tree.leaves(in_turn), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_one_call_goes_from_uint8_to_mask():
    images = np.zeros((2, 40, 40, 1), np.uint8)
    images[0, 5:15, 5:15] = 255  # 100 pixels
    images[0, 30, 30] = 255  # a speck
    detector = blur_detector(0)
    found = scoring.detect(detector, 1.0, images, threshold=0.5, min_area=4)
    np.testing.assert_array_equal(found.mask[0], (images[0, ..., 0] > 0) & (np.arange(40) < 20))
    assert not bool(found.mask[1].any())
    with_speck = scoring.detect(detector, 1.0, images, threshold=0.5, min_area=0)
    assert int(with_speck.mask[0].sum()) == 101
    assert int(scoring.detect(detector, 1.0, images, threshold=1.0).mask.sum()) == 0  # strictly above
    otsu = scoring.detect(detector, 1.0, images, threshold=None)
    np.testing.assert_array_equal(otsu.mask[0], images[0, ..., 0] > 0)


def test_an_image_in_tiles_is_judged_by_its_whole_map_where_a_detector_does_so():
    def image_score(state, maps, size):
        del state
        rows, columns = (jnp.arange(side) < own for side, own in zip(maps.shape[1:], size, strict=True))
        return jnp.sum(maps * (rows[:, None] & columns), (1, 2)) / (size[0] * size[1])

    plain, images, tiles = blur_detector(0), uniform(3, 2, 100, 90, 1), Tiles(64, 16)
    judging = plain._replace(image_score=image_score)
    whole = jnp.mean(plain.score(1.0, images).map, (1, 2))
    np.testing.assert_allclose(scoring.score_tiled(judging, 1.0, images, tiles).image, whole, rtol=1e-5)
    canvas = jnp.pad(images, ((0, 0), (0, 12), (0, 22), (0, 0)), "symmetric")
    scores = scoring.score_tiled(judging, 1.0, canvas, tiles, size=jnp.array([100, 90]))
    np.testing.assert_allclose(scores.image, whole, rtol=1e-5)
    assert not np.allclose(scoring.score_tiled(judging, 1.0, canvas, tiles).image, whole, rtol=1e-3)


@pytest.mark.parametrize("tiles", [Tiles(4, 0), Tiles(32, 17), Tiles(32, -1)])
def test_tiles_that_do_not_cover_are_refused(tiles):
    with pytest.raises(ValueError, match=f"score.tile = {tiles.size} with score.overlap = {tiles.overlap}"):
        scoring.score_tiled(blur_detector(1), 1.0, jnp.zeros((1, 64, 64, 1)), tiles)


def spot_detector(**of_image):
    """Boxes around what is brighter than 0.8 and around what is half as bright; kinds good, bright and half bright."""

    def around(spot):  # bool [H, W]
        rows, columns = spot.any(1), spot.any(0)
        sides = [jnp.argmax(rows), jnp.argmax(columns), 0, 0]
        sides[2], sides[3] = len(rows) - jnp.argmax(rows[::-1]), len(columns) - jnp.argmax(columns[::-1])
        return jnp.where(spot.any(), jnp.stack(sides).astype(jnp.float32), 0)

    def score(state, images):
        del state
        bright, half = images[..., 0] > 0.8, (images[..., 0] > 0.4) & (images[..., 0] <= 0.8)
        there = [jnp.where(spot.any((1, 2)), worth, 0.0) for spot, worth in ((bright, 0.9), (half, 0.7))]
        boxes = jnp.stack([jax.vmap(around)(spot) for spot in (bright, half)], 1)
        worst = jnp.stack([jnp.full(len(images), 0.1), *there], 1).argmax(1)
        return jaxdefect.Scores(
            images.max((1, 2, 3)), images[..., 0], kinds=jax.nn.one_hot(worst, 3),
            boxes=jnp.concatenate([boxes, jnp.stack(there, 1)[..., None]], -1),
            **{name: make(len(images)) for name, make in of_image.items()},
        )  # fmt: skip

    return jaxdefect.Detector(lambda key, batch: 1.0, lambda state, batch, key: (state, {}), score)


def with_spots(*spots, height=96, width=128):
    image = np.zeros((1, height, width, 1), np.uint8)
    for top, left, bottom, right, brightness in spots:
        image[:, top:bottom, left:right] = brightness
    return image


def boxes_of(image, tiles):
    found = np.asarray(scoring.detect(spot_detector(), 1.0, image, threshold=0.5, tiles=tiles).scores.boxes[0])
    return found[found[:, 4] > 0]


def test_boxes_of_tiles_come_back_at_their_place_in_the_image_and_once():
    # The first lies where four tiles of 64 with an overlap of 32 meet, the second at the far border of the image.
    image = with_spots((40, 36, 50, 60, 255), (85, 120, 96, 128, 150))
    found = boxes_of(image, Tiles(64, 32))
    np.testing.assert_allclose(found, [[40, 36, 50, 60, 0.9], [85, 120, 96, 128, 0.7]])
    np.testing.assert_allclose(found, boxes_of(image, None))


def test_boxes_of_what_is_mirrored_beyond_the_border_do_not_leave_the_image():
    image = with_spots((70, 80, 80, 90, 255), height=80, width=90)
    for box in boxes_of(image, Tiles(64, 16)):
        assert box[2] <= 80 and box[3] <= 90
    np.testing.assert_allclose(boxes_of(image, Tiles(64, 16))[0], [70, 80, 80, 90, 0.9])


def test_an_image_without_boxes_has_none_in_tiles():
    assert len(boxes_of(with_spots(), Tiles(64, 32))) == 0


def test_kinds_are_those_of_the_worst_tile():
    images = np.concatenate([
        with_spots((2, 2, 9, 9, 255), (80, 110, 90, 120, 150)), with_spots((80, 110, 90, 120, 150)), with_spots(),
    ])  # fmt: skip
    scores = scoring.detect(spot_detector(), 1.0, images, threshold=0.5, tiles=Tiles(64, 16)).scores
    np.testing.assert_array_equal(scores.kinds, np.eye(3)[[1, 2, 0]])
    np.testing.assert_allclose(scores.image, images.max((1, 2, 3)) / 255, rtol=1e-6)


@pytest.mark.parametrize("name", ["surface", "classes", "embedding"])
def test_what_no_tile_knows_of_its_image_is_refused_by_name(name):
    detector = spot_detector(**{name: lambda count: jnp.zeros((count,) if name == "surface" else (count, 4))})
    with pytest.raises(ValueError, match=f"score.mode = 'tiled': the detector gives {name} of an image.*whole"):
        scoring.detect(detector, 1.0, with_spots(), threshold=0.5, tiles=Tiles(64, 16))
    assert getattr(scoring.detect(detector, 1.0, with_spots(), threshold=0.5).scores, name) is not None
