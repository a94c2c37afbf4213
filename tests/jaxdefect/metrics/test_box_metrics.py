"""Average precision against its definition."""

import numpy as np
import pytest

from jaxdefect.maps import boxes
from jaxdefect.metrics.box_metrics import box_figures
from tests.jaxdefect.maps.drawn_boxes import as_pixels, some


def scored(rows):
    return np.array(rows, float).reshape(-1, 5)


TRUE = np.array([[0, 0, 10, 10], [20, 20, 40, 40]], float)


def test_average_precision_of_cases_worked_out_by_hand():
    both = scored([[0, 0, 10, 10, 0.9], [20, 20, 40, 40, 0.8]])
    assert box_figures([both], [TRUE])["ap50"] == 1
    assert box_figures([both[:1]], [TRUE])["ap50"] == 0.5
    assert box_figures([scored([])], [TRUE])["ap50"] == 0
    # Hit, false alarm, hit: precision 1 up to recall 1/2, then 2/3.
    between = scored([*both.tolist(), [50, 50, 60, 60, 0.85]])
    assert box_figures([between], [TRUE])["ap50"] == pytest.approx((1 + 2 / 3) / 2)
    # A false alarm on a good image above all others: precision 1/2, then 2/3, and so 2/3 throughout.
    alarm = scored([[0, 0, 10, 10, 0.95]])
    assert box_figures([both, alarm], [TRUE, np.zeros((0, 4))])["ap50"] == pytest.approx(2 / 3)


def test_a_defect_is_found_once_and_from_an_overlap_of_one_half_on():
    twice = scored([[0, 0, 10, 10, 0.9], [0, 0, 10, 9, 0.8]])
    figures = box_figures([twice], [TRUE[:1]])
    assert (figures["boxes"], figures["found"], figures["false_alarms"]) == (1, 1, 1)
    for rows, found in ((5, 1), (4.9, 0)):
        assert box_figures([scored([[0, 0, rows, 10, 0.9]])], [TRUE[:1]])["found"] == found


def test_boxes_at_or_below_the_threshold_and_rows_of_zeros_are_not_counted():
    found = scored([[0, 0, 10, 10, 0.9], [50, 50, 60, 60, 0.5], [0] * 5])
    figures = box_figures([found], [np.concatenate([TRUE, np.zeros((3, 4))])], threshold=0.5)
    assert figures == {"ap50": 0.5, "boxes": 2, "found": 1, "false_alarms": 0, "precision": 1, "recall": 0.5,
                       "f1": pytest.approx(2 / 3)}  # fmt: skip


def brute_force(found, truths):
    """Average precision from its definition: for each recall that is reached, the best precision there or beyond."""
    levels = sorted({row[4] for own in found for row in own}, reverse=True)
    points, total = [], sum(map(len, truths))
    for level in levels:
        hits = alarms = 0
        for own, true in zip(found, truths, strict=True):
            open_ = set(range(len(true)))
            for row in sorted((row for row in own if row[4] >= level), key=lambda row: -row[4]):
                pixels = [(as_pixels(row[:4], 60) & as_pixels(t, 60)).sum() for t in true]
                sizes = [(as_pixels(row[:4], 60) | as_pixels(t, 60)).sum() for t in true]
                overlaps = [a / b for a, b in zip(pixels, sizes, strict=True)]
                best = int(np.argmax(overlaps)) if overlaps else -1
                hit = best in open_ and overlaps[best] >= 0.5
                open_ -= {best} if hit else set()
                hits, alarms = hits + hit, alarms + (not hit)
        points.append((hits / total, hits / (hits + alarms)))
    recalls = sorted({0.0, *(recall for recall, _ in points)})
    return sum((high - low) * max(p for recall, p in points if recall >= high)
               for low, high in zip(recalls, recalls[1:], strict=False))  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_that_of_its_definition(seed):
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for count in (0, 1, 3, 4):
        corners = rng.integers(0, 40, (count, 2))
        true = np.concatenate([corners, corners + rng.integers(5, 20, (count, 2))], 1).astype(float)
        near = np.concatenate([true, true])[rng.random(2 * count) < 0.8]
        near = near + rng.integers(-2, 3, near.shape)
        rows = np.concatenate([near.clip(0, 60), some(3, 60, seed)], 0)
        rows = rows[boxes.area(rows) > 0]
        truths.append(true)
        found.append(np.concatenate([rows, rng.permutation(np.arange(1, len(rows) + 1))[:, None] + count / 10], 1))
    wanted = brute_force(found, truths)
    assert 0 < wanted < 1
    assert box_figures(found, truths)["ap50"] == pytest.approx(wanted)


def test_wrong_shapes_and_numbers_of_images_are_named():
    with pytest.raises(ValueError, match="of 1 images, true ones of 2"):
        box_figures([scored([])], [TRUE, TRUE])
    with pytest.raises(ValueError, match=r"found\[0\] has shape \(2, 4\)"):
        box_figures([TRUE], [TRUE])
    assert box_figures([scored([])], [np.zeros((0, 4))])["ap50"] is None
