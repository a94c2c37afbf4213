"""Faster R-CNN: which anchors and regions are defects, what its losses weigh, what it says, and that it learns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.detectors import faster_rcnn
from jaxdefect.maps import boxes
from jaxdefect.metrics.box_metrics import box_figures
from jaxdefect.training import loop
from tests.contract.steps import tiny
from tests.tiny import config as tiny_config

pytestmark = pytest.mark.drill  # Its networks take long to compile; tests/contract has it among the fast ones.

SETTINGS = tiny_config("faster_rcnn").settings


def squares(count, side=32, seed=0):
    """Noise; every second image has a bright block, 10 to 15 pixels a side, which is outlined."""
    rng = np.random.default_rng(seed)
    images, masks = rng.normal(0.4, 0.05, (count, side, side, 1)), np.zeros((count, side, side))
    labels = np.arange(count) % 2
    for index in np.flatnonzero(labels):
        (tall, wide), (row, column) = rng.integers(10, 16, 2), rng.integers(0, side - 15, 2)
        masks[index, row : row + tall, column : column + wide] = 1
    images = np.clip(images + 0.4 * masks[..., None], 0, 1)
    image, mask = (jnp.asarray(x, jnp.float32) for x in (images, masks))
    return Batch(image, mask, jnp.asarray(labels), has_mask=jnp.ones(count, jnp.float32))


def make(**changed):
    return tiny("faster_rcnn", **changed)[0]


def true_boxes(batch):
    return np.asarray(boxes.mask_boxes(batch.mask, most=3, min_area=1, join=1))


@pytest.fixture(scope="module")
def learned():
    """(16 images never seen, of sides that are padded, what is said of them after 100 steps on one device)."""
    detector = make(widths=(4, 8, 16, 16), hidden=32, learning_rate=1e-2, decay_every=70, candidates=64, proposals=16)
    batches = [squares(8, seed=seed) for seed in range(10)]
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(batches[0].image))
    step = loop.jit_once(parallel.on_one_device(detector.step))
    for number in range(100):
        state, _ = step(state, batches[number % 10], jax.random.key(0))
    batch = squares(16, seed=99)
    batch = batch._replace(image=batch.image[:, :29, :31], mask=batch.mask[:, :29, :31])
    return batch, jax.tree.map(np.asarray, loop.jit_once(detector.score)(state, batch.image))


@pytest.mark.drill
def test_boxes_are_found_on_images_never_seen(learned):
    batch, scores = learned
    assert box_figures(scores.boxes, true_boxes(batch))["ap50"] > 0.7
    defective = np.asarray(batch.label) == 1
    assert np.mean(scores.image[defective]) > np.mean(scores.image[~defective]) + 0.4


def test_boxes_lie_inside_by_falling_score_and_overlap_no_more_than_they_may(learned):
    _, scores = learned
    assert scores.boxes.shape == (16, SETTINGS.max_detections, 5) and scores.boxes.any()
    for own, image in zip(scores.boxes, scores.image, strict=True):
        there = own[boxes.area(own) > 0]
        assert not own[len(there) :].any()  # Behind the last one there are zeros.
        assert (there[:, :4] >= 0).all() and (there[:, 2] <= 29).all() and (there[:, 3] <= 31).all()
        assert (np.diff(there[:, 4]) <= 0).all() and (there[:, 4] >= SETTINGS.min_score).all()
        overlaps = boxes.iou(there[:, :4], there[:, :4])[np.triu_indices(len(there), 1)]
        assert (overlaps <= SETTINGS.detection_overlap).all()
        assert image == (there[0, 4] if len(there) else image)
    np.testing.assert_array_equal(scores.map.max((1, 2)), scores.image)


def test_the_map_is_the_highest_score_of_the_boxes_over_a_pixel():
    every = np.array([[[2, 3, 6, 9], [4, 0, 12, 5], [0, 0, 0, 0]]], np.float32)
    scores = np.array([[0.4, 0.9, 0.7]], np.float32)
    wanted = np.zeros((12, 10), np.float32)
    wanted[2:6, 3:9], wanted[4:12, :5] = 0.4, 0.9
    found = faster_rcnn.painted(jnp.asarray(every), jnp.asarray(scores), 12, 10)
    np.testing.assert_array_equal(found[0], wanted)


def test_the_anchor_that_fits_a_defect_best_is_one_however_badly_it_fits():
    anchors = jnp.asarray(boxes.anchors(4, 4, stride=8, sizes=(24.0,), ratios=(1.0,)))
    truths = jnp.asarray([[9.0, 9, 13, 13], [0, 0, 0, 0]])  # 4 pixels a side: no anchor overlaps it by 0.05.
    overlap, nearest, best = loop.jit_once(faster_rcnn.matched)(anchors, truths)
    assert 0 < float(overlap.max()) < 0.05
    assert best.any() and bool(jnp.all(overlap[best] == overlap.max()))
    np.testing.assert_array_equal(nearest[best], jnp.broadcast_to(truths[0], (int(best.sum()), 4)))
    assert not loop.jit_once(faster_rcnn.matched)(anchors, truths * 0)[2].any()  # A good image has no positives.


def test_anchors_balance_however_many_there_are_of_each_kind():
    rng = np.random.default_rng(0)
    values, positive = rng.random(50).astype(np.float32), np.arange(50) < 3
    draws = [values[rng.choice(np.flatnonzero(kind), 3000)].mean() for kind in (positive, ~positive)]
    found = faster_rcnn.balanced(jnp.asarray(values), jnp.asarray(positive), jnp.asarray(~positive))
    assert float(found) == pytest.approx(np.mean(draws), abs=0.02)  # What the paper's random draws are on average.
    none = jnp.zeros(50, bool)
    assert float(faster_rcnn.balanced(jnp.asarray(values), none, ~none)) == pytest.approx(values.mean() / 2, rel=1e-5)


def test_defective_images_without_an_outline_teach_nothing():
    detector, batch = make(), squares(4)
    batch = batch._replace(label=jnp.ones(4, jnp.int32), has_mask=jnp.zeros(4), mask=jnp.zeros_like(batch.mask))
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(batch.image))
    step = loop.jit_once(parallel.on_one_device(detector.step))
    after, metrics = step(state, batch, jax.random.key(0))
    assert float(metrics["loss"]) == 0
    for one, other in zip(jax.tree.leaves(state.params), jax.tree.leaves(after.params), strict=True):
        np.testing.assert_array_equal(one, other)
    good = step(state, batch._replace(label=jnp.zeros(4, jnp.int32)), jax.random.key(0))[1]
    assert float(good["loss"]) > 0 and float(good["refinement"]) == 0  # A good image has no boxes to move.


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"widths": (8, 8, 8)}, r"settings.widths = \(8, 8, 8\); give 4"),
        ({"sizes": ()}, r"settings.sizes = \(\); give numbers above 0"),
        ({"ratios": (1.0, -1.0)}, r"settings.ratios = \(1.0, -1.0\)"),
        ({"proposals": 0}, "settings.proposals = 0; give 1 or more"),
        ({"join": 4}, "data.join = 4; masks are dilated by an odd number"),
    ],
)
def test_settings_that_cannot_be_are_named_with_a_remedy(changed, named):
    with pytest.raises(ValueError, match=named):
        make(**changed)


def test_a_batch_without_masks_is_refused():
    detector, batch = make(), squares(2)
    state = jax.eval_shape(detector.init, jax.random.key(0), Batch(batch.image))
    with pytest.raises(ValueError, match="no mask; faster_rcnn learns from outlined defects"):
        jax.eval_shape(detector.step, state, batch._replace(mask=None), jax.random.key(0))
