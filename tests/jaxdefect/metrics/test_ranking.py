"""Figures of ranks against scikit-learn and their definitions."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
import skimage.measure
import sklearn.metrics

from jaxdefect.metrics import decisions, ranking
from tests.jaxdefect.metrics.score_maps import DRAWS, flat, images


def literal_pro(maps, masks, limit):
    """The definition: at every distinct score, the false-positive rate and the mean share found of each region."""
    regions = [
        (i, lab == k) for i, m in enumerate(masks) if m.any() for lab in [label(m)] for k in range(1, lab.max() + 1)
    ]
    good = np.concatenate([p[m == 0] for p, m in zip(maps, masks, strict=True)])
    points = [(0.0, 0.0)]
    for score in np.unique(np.concatenate([m.ravel() for m in maps]))[::-1]:
        points.append((np.mean(good >= score), np.mean([np.mean(maps[i][r] >= score) for i, r in regions])))
    area = 0.0
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        if x0 < limit and x1 > x0:
            end = min(x1, limit)
            area += (end - x0) * (y0 + y0 + (y1 - y0) * (end - x0) / (x1 - x0)) / 2
    return area / limit


def label(mask):
    return skimage.measure.label(mask, connectivity=2)


@pytest.mark.parametrize("name", DRAWS)
def test_pixel_figures_are_those_of_scikit_learn(name):
    maps, masks = images(DRAWS[name])
    scores, truth = flat(maps, masks)
    counts = ranking.pixel_counts(maps, masks)
    assert ranking.area_under_roc(counts) == pytest.approx(sklearn.metrics.roc_auc_score(truth, scores), abs=1e-12)
    expected = sklearn.metrics.average_precision_score(truth, scores)
    assert ranking.average_precision(counts) == pytest.approx(expected, abs=1e-12)
    precision, recall, _ = sklearn.metrics.precision_recall_curve(truth, scores)
    expected = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300))
    assert ranking.best_f1(counts)["f1"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("name", DRAWS)
def test_per_region_overlap_follows_its_definition(name, limit):
    maps, masks = images(DRAWS[name])
    counts = ranking.pixel_counts(maps, masks)
    assert counts.regions == 6
    assert ranking.per_region_overlap(counts, limit=limit) == pytest.approx(literal_pro(maps, masks, limit), abs=1e-12)


@pytest.mark.parametrize("name", DRAWS)
def test_the_best_f1_is_attained_strictly_above_its_threshold(name):
    maps, masks = images(DRAWS[name])
    best = ranking.best_f1(ranking.pixel_counts(maps, masks))
    rows = decisions.per_image_decisions(maps, masks, best["threshold"])
    hits, defective, predicted = (sum(r[k] for r in rows) for k in ("hits", "defect_pixels", "predicted_pixels"))
    assert decisions.decision_figures(hits, defective, predicted)["f1"] == best["f1"]


def test_flagging_minus_infinity_has_no_threshold():
    maps, masks = [np.array([[-np.inf, -np.inf]], np.float32)], [np.array([[0, 1]])]
    assert ranking.best_f1(ranking.pixel_counts(maps, masks)) == {"f1": pytest.approx(2 / 3), "threshold": None}


def figures_by_rank(maps, masks):
    counts = ranking.pixel_counts(maps, masks)
    figures = (ranking.area_under_roc, ranking.average_precision, ranking.per_region_overlap)
    return [figure(counts) for figure in figures] + [ranking.best_f1(counts)["f1"]]


@pytest.mark.parametrize("name", ["continuous", "heavily tied", "subnormal", "infinite"])
def test_only_the_order_of_scores_matters(name):
    maps, masks = images(DRAWS[name])
    ranks = scipy.stats.rankdata(flat(maps, masks)[0], method="dense").astype(np.float32)
    ranked, start = [], 0
    for m in maps:
        ranked.append(ranks[start : start + m.size].reshape(m.shape) * 3 - 7)
        start += m.size
    assert figures_by_rank(ranked, masks) == pytest.approx(figures_by_rank(maps, masks), abs=1e-13)


def test_order_of_images_and_pixels_does_not_matter():
    maps, masks = images(DRAWS["heavily tied"])
    turned = [m.T[::-1] for m in maps[::-1]], [m.T[::-1] for m in masks[::-1]]
    assert figures_by_rank(*turned) == pytest.approx(figures_by_rank(maps, masks), abs=1e-13)


def test_chunks_of_any_size_count_the_same(monkeypatch):
    maps, masks = images(DRAWS["heavily tied"])
    expected = ranking.pixel_counts(maps, masks)
    for size in (1, 7, 64, 1024):
        monkeypatch.setattr(ranking, "CHUNK", size)
        for ours, theirs in zip(ranking.pixel_counts(maps, masks), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_half_precision_and_device_maps_are_read_without_loss():
    import jax.numpy as jnp

    maps, masks = images(DRAWS["continuous"])
    halves = [m.astype(np.float16) for m in maps]
    expected = figures_by_rank([m.astype(np.float32) for m in halves], masks)
    assert figures_by_rank(halves, masks) == expected
    assert figures_by_rank([jnp.asarray(m) for m in halves], [jnp.asarray(m) for m in masks]) == expected
    brain = [jnp.asarray(m, jnp.bfloat16) for m in maps]
    assert figures_by_rank(brain, masks) == figures_by_rank([m.astype(jnp.float32) for m in brain], masks)


def test_a_figure_without_positives_or_negatives_is_none():
    maps, masks = images(DRAWS["continuous"], defects=False)
    assert figures_by_rank(maps, masks) == [None, None, None, None]
    auroc, ap, pro, f1 = figures_by_rank(maps, [np.ones_like(m) for m in masks])
    assert (auroc, ap, pro, f1) == (None, 1.0, None, 1.0)
    assert figures_by_rank([], []) == [None, None, None, None]
    assert ranking.curves(ranking.pixel_counts(maps, masks)) == {"roc": [], "pr": []}
    figures = decisions.image_figures([0.1, 0.2], [0, 0], 0.15)
    assert (figures["auroc"], figures["recall"], figures["precision"]) == (None, None, 0.0)
    assert (figures["accuracy"], figures["misses"], figures["false_alarms"]) == (0.5, 0, 1)


def broken(field):
    maps, masks = images(DRAWS["continuous"])
    if field == "NaN":
        maps[2][4, 5] = np.nan
    elif field == "float64":
        maps[2] = maps[2].astype(np.float64)
    elif field == "shape":
        masks[2] = masks[2].T
    return maps, masks


@pytest.mark.parametrize("field, message", [("NaN", "NaN in 1 of 1240"), ("float64", "float64"), ("shape", "same")])
def test_a_broken_map_is_named(field, message):
    with pytest.raises(ValueError, match=rf"image 2\b.*{message}"):
        ranking.pixel_counts(*broken(field))


def test_wrong_image_scores_and_lengths_are_named():
    with pytest.raises(ValueError, match="image 1 has score nan"):
        ranking.image_counts([0.0, np.nan], [0, 1])
    with pytest.raises(ValueError, match="image 0 .*label 2"):
        ranking.image_counts([0.0, 1.0], [2, 1])
    with pytest.raises(ValueError, match="'kinds': 1"):
        decisions.evaluate([0.0, 1.0], [0, 1], ["good"], 0.5)


MEMORY = """
from pathlib import Path
import numpy as np
from jaxdefect.metrics import ranking

class Images:
    def __init__(self, count, mask):
        self.count, self.mask = count, mask
    def __len__(self):
        return self.count
    def __getitem__(self, i):
        mask = np.zeros((1024, 1024), np.uint8)
        mask[100:120, 100:120] = 1
        return mask if self.mask else np.random.default_rng(i).random((1024, 1024), np.float32) + np.float32(0.3) * mask

def peak_after(count):
    ranking.pixel_counts(Images(count, False), Images(count, True))
    # Not ru_maxrss, in which the process counts that started this one.
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024

print(peak_after(8), peak_after(40))
"""


@pytest.mark.drill
def test_memory_does_not_grow_with_the_good_pixels():
    run = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    few, many = map(int, run.stdout.split())  # MB
    # Holding the scores of the 32 further images takes 128 MB; what is left to the allocators varies by some 50 MB.
    assert many - few < 100


def test_thinned_curves_stay_on_the_curve_and_keep_its_area():
    rng = np.random.default_rng(0)
    mask = np.zeros((200, 200), np.uint8)
    mask[50:100, 50:100] = mask[150:160, 20:180] = 1
    maps, masks = [(rng.normal(size=mask.shape) + 1.5 * mask).astype(np.float32)], [mask]
    counts = ranking.pixel_counts(maps, masks)
    drawn = ranking.curves(counts)
    assert all(len(curve) <= ranking.CURVE_POINTS for curve in drawn.values())
    assert drawn["roc"][0] == [0, 0] and drawn["roc"][-1] == [1, 1]
    assert drawn["pr"][0] == [0, 1] and drawn["pr"][-1][0] == 1
    assert drawn["pro"][0] == [0, 0] and drawn["pro"][-1][0] == ranking.PRO_LIMIT
    fpr, tpr, _ = sklearn.metrics.roc_curve(mask.ravel(), maps[0].ravel(), drop_intermediate=False)
    exact = set(zip(fpr.tolist(), tpr.tolist(), strict=True))
    assert all(any(abs(x - a) + abs(y - b) < 1e-12 for a, b in exact) for x, y in drawn["roc"][::50])
    for name, figure in (("roc", ranking.area_under_roc), ("pro", ranking.per_region_overlap)):
        x, y = np.array(drawn[name]).T
        assert np.trapezoid(y, x) / x[-1] == pytest.approx(figure(counts), abs=2e-3)
