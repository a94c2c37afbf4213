import json
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
import skimage.measure
import sklearn.metrics

from jaxdefect import metrics, ranking


def pictures(make, *, seed=0, defects=True):
    """Maps and masks of varying sizes; `make(rng, mask)` draws the scores."""
    rng = np.random.default_rng(seed)
    maps, masks = [], []
    for height, width in ((31, 40), (17, 23), (40, 31), (1, 5)):
        mask = np.zeros((height, width), np.uint8)
        if defects and height > 1:
            mask[3:9, 4:7] = mask[9, 7] = mask[12:14, 10:20] = 1  # the pixel (9, 7) touches by a corner only
        masks.append(mask)
        with np.errstate(over="ignore"):
            maps.append(np.asarray(make(rng, mask)).astype(np.float32))
    return maps, masks


def some_infinite(rng, mask):
    return rng.choice([-np.inf, -1.0, 0.0, 1.0, np.inf], mask.shape, p=[0.2, 0.2, 0.2, 0.2, 0.2]) + mask


DRAWS = {
    "continuous": lambda rng, mask: rng.normal(size=mask.shape) + mask,
    "worse than chance": lambda rng, mask: rng.normal(size=mask.shape) - mask,
    "heavily tied": lambda rng, mask: rng.integers(0, 4, mask.shape) + mask,
    "constant": lambda rng, mask: np.full(mask.shape, 0.1),
    "separated": lambda rng, mask: rng.random(mask.shape) + 2 * mask,
    "inverted": lambda rng, mask: rng.random(mask.shape) - 2 * mask,
    "huge": lambda rng, mask: (rng.normal(size=mask.shape) + mask) * 7e37,
    "subnormal": lambda rng, mask: (rng.normal(size=mask.shape) + mask) * 1e-43,
    "both zeros": lambda rng, mask: rng.choice([-0.0, 0.0, 1e-45, -1e-45], mask.shape),
    "one unit in the last place": lambda rng, mask: 1 + (rng.integers(0, 3, mask.shape) + mask) * 2.0**-23,
    "infinite": some_infinite,
}


def flat(maps, masks):
    """All scores in float64, infinities as numbers beyond float32 (scikit-learn refuses them), and all truths."""
    scores = np.concatenate([m.ravel() for m in maps]).astype(np.float64)
    return np.nan_to_num(scores, posinf=1e300, neginf=-1e300), np.concatenate([m.ravel() for m in masks])


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
    maps, masks = pictures(DRAWS[name])
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
    maps, masks = pictures(DRAWS[name])
    counts = ranking.pixel_counts(maps, masks)
    assert counts.regions == 6
    assert ranking.per_region_overlap(counts, limit=limit) == pytest.approx(literal_pro(maps, masks, limit), abs=1e-12)


@pytest.mark.parametrize("name", DRAWS)
def test_the_best_f1_is_attained_strictly_above_its_threshold(name):
    maps, masks = pictures(DRAWS[name])
    best = ranking.best_f1(ranking.pixel_counts(maps, masks))
    rows = metrics.picture_figures(maps, masks, best["threshold"])
    hits, defective, predicted = (sum(r[k] for r in rows) for k in ("hits", "defect_pixels", "predicted_pixels"))
    assert metrics.decision_figures(hits, defective, predicted)["f1"] == best["f1"]


def test_flagging_minus_infinity_has_no_threshold():
    maps, masks = [np.array([[-np.inf, -np.inf]], np.float32)], [np.array([[0, 1]])]
    assert ranking.best_f1(ranking.pixel_counts(maps, masks)) == {"f1": pytest.approx(2 / 3), "threshold": None}


def figures_by_rank(maps, masks):
    counts = ranking.pixel_counts(maps, masks)
    figures = (ranking.area_under_roc, ranking.average_precision, ranking.per_region_overlap)
    return [figure(counts) for figure in figures] + [ranking.best_f1(counts)["f1"]]


@pytest.mark.parametrize("name", ["continuous", "heavily tied", "subnormal", "infinite"])
def test_only_the_order_of_scores_matters(name):
    maps, masks = pictures(DRAWS[name])
    ranks = scipy.stats.rankdata(flat(maps, masks)[0], method="dense").astype(np.float32)
    ranked, start = [], 0
    for m in maps:
        ranked.append(ranks[start : start + m.size].reshape(m.shape) * 3 - 7)
        start += m.size
    assert figures_by_rank(ranked, masks) == pytest.approx(figures_by_rank(maps, masks), abs=1e-13)


def test_order_of_pictures_and_pixels_does_not_matter():
    maps, masks = pictures(DRAWS["heavily tied"])
    turned = [m.T[::-1] for m in maps[::-1]], [m.T[::-1] for m in masks[::-1]]
    assert figures_by_rank(*turned) == pytest.approx(figures_by_rank(maps, masks), abs=1e-13)


def test_chunks_of_any_size_count_the_same(monkeypatch):
    maps, masks = pictures(DRAWS["heavily tied"])
    expected = ranking.pixel_counts(maps, masks)
    for size in (1, 7, 64, 1024):
        monkeypatch.setattr(ranking, "CHUNK", size)
        for ours, theirs in zip(ranking.pixel_counts(maps, masks), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_half_precision_and_device_maps_are_read_without_loss():
    import jax.numpy as jnp

    maps, masks = pictures(DRAWS["continuous"])
    halves = [m.astype(np.float16) for m in maps]
    expected = figures_by_rank([m.astype(np.float32) for m in halves], masks)
    assert figures_by_rank(halves, masks) == expected
    assert figures_by_rank([jnp.asarray(m) for m in halves], [jnp.asarray(m) for m in masks]) == expected
    brain = [jnp.asarray(m, jnp.bfloat16) for m in maps]
    assert figures_by_rank(brain, masks) == figures_by_rank([m.astype(jnp.float32) for m in brain], masks)


def test_a_figure_without_positives_or_negatives_is_none():
    maps, masks = pictures(DRAWS["continuous"], defects=False)
    assert figures_by_rank(maps, masks) == [None, None, None, None]
    auroc, ap, pro, f1 = figures_by_rank(maps, [np.ones_like(m) for m in masks])
    assert (auroc, ap, pro, f1) == (None, 1.0, None, 1.0)
    assert figures_by_rank([], []) == [None, None, None, None]
    assert ranking.curves(ranking.pixel_counts(maps, masks)) == {"roc": [], "pr": []}
    figures = metrics.image_figures([0.1, 0.2], [0, 0], 0.15)
    assert (figures["auroc"], figures["recall"], figures["precision"]) == (None, None, 0.0)
    assert (figures["accuracy"], figures["misses"], figures["false_alarms"]) == (0.5, 0, 1)


@pytest.mark.parametrize("name", ["normal", "tied", "single pictures"])
def test_image_figures_are_those_of_scikit_learn(name):
    rng = np.random.default_rng(1)
    labels = np.array([0, 1]) if name == "single pictures" else np.array([0, 1, 1] * 15)
    scores = rng.normal(size=labels.size) + labels
    scores = np.round(scores) if name == "tied" else scores
    figures = metrics.image_figures(scores.tolist(), labels.tolist(), 0.5)
    flagged = scores > 0.5
    assert figures["auroc"] == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores), abs=1e-12)
    assert figures["ap"] == pytest.approx(sklearn.metrics.average_precision_score(labels, scores), abs=1e-12)
    for key in ("precision", "recall", "f1", "accuracy"):
        expected = getattr(sklearn.metrics, f"{key}_score")(labels, flagged)
        assert figures[key] == pytest.approx(expected, abs=1e-12)
    (_, false_alarms), (misses, _) = sklearn.metrics.confusion_matrix(labels, flagged)
    assert (figures["misses"], figures["false_alarms"]) == (misses, false_alarms)
    best = figures["oracle"]
    assert sklearn.metrics.f1_score(labels, scores > best["threshold"]) == pytest.approx(best["f1"], abs=1e-12)


def test_images_are_ranked_apart_by_the_last_bit_of_float64():
    assert metrics.image_figures([1.0, np.nextafter(1.0, 2)], [0, 1], 1.0)["auroc"] == 1.0


def test_decisions_are_taken_on_the_predicted_masks_where_given():
    maps, masks = pictures(DRAWS["continuous"])
    rng = np.random.default_rng(3)
    predicted = [(rng.random(m.shape) < 0.3).astype(np.uint8) for m in masks]
    rows = metrics.picture_figures(maps, masks, 0.5, predicted=predicted)
    pixel = metrics.pixel_figures(ranking.pixel_counts(maps, masks), rows)
    truth, flagged = flat(masks, predicted)
    scores = {key: getattr(sklearn.metrics, f"{key}_score") for key in ("precision", "recall", "f1")}
    for key, score in scores.items():
        each = [score(m.ravel(), p.ravel()) for m, p in zip(masks, predicted, strict=True) if m.any()]
        assert pixel[key] == pytest.approx(score(truth, flagged), abs=1e-12)
        assert pixel[f"{key}_mean"] == pytest.approx(np.mean(each), abs=1e-12)
    from_map = metrics.picture_figures(maps, masks, 0.5)
    assert from_map == metrics.picture_figures(maps, masks, None, predicted=[m > np.float32(0.5) for m in maps])
    with pytest.raises(ValueError, match="predicted masks"):
        metrics.picture_figures(maps, masks, None)


def test_a_miss_does_not_raise_a_mean():
    mask = np.array([[0, 1]], np.uint8)
    maps = [np.array([[0, 1]], np.float32), np.zeros((1, 2), np.float32)]
    rows = metrics.picture_figures(maps, [mask, mask], 0.5)
    assert rows[1]["precision"] is None
    assert metrics.pixel_figures(ranking.pixel_counts(maps, [mask, mask]), rows)["precision_mean"] == 0.5


def eight_pictures():
    maps, masks = (
        a + b for a, b in zip(pictures(DRAWS["heavily tied"]), pictures(DRAWS["continuous"], seed=1), strict=True)
    )
    kinds = ["crack", "hole", "crack", "good", "hole", "crack", "hole", "good"]
    labels = [int(kind != "good") for kind in kinds]
    scores = np.random.default_rng(5).normal(size=8) + labels
    return scores, labels, kinds, maps, masks


def test_a_kind_is_judged_on_its_own_and_all_good_pictures():
    scores, labels, kinds, maps, masks = eight_pictures()
    result = metrics.evaluate(scores, labels, kinds, 0.2, maps=maps, masks=masks, pixel_threshold=0.7)
    assert list(result["figures"]["by_kind"]) == ["crack", "hole"]
    for kind, figures in result["figures"]["by_kind"].items():
        chosen = [i for i, k in enumerate(kinds) if k in (kind, "good")]
        some_maps, some_masks = [maps[i] for i in chosen], [masks[i] for i in chosen]
        image = metrics.image_figures([scores[i] for i in chosen], [labels[i] for i in chosen], 0.2)
        rows = metrics.picture_figures(some_maps, some_masks, 0.7)
        pixel = metrics.pixel_figures(ranking.pixel_counts(some_maps, some_masks), rows)
        assert (figures["images"], figures["image_auroc"]) == (3, image["auroc"])
        assert figures["image_recall"] == image["recall"]
        assert figures["pro"] == pytest.approx(pixel["pro"], abs=1e-12)
        for key in ("auroc", "ap", "precision", "recall", "f1"):
            assert figures[f"pixel_{key}"] == pytest.approx(pixel[key], abs=1e-12)


def test_an_evaluation_is_that_of_all_its_pictures_at_once():
    scores, labels, kinds, maps, masks = eight_pictures()
    result = metrics.evaluate(scores, labels, kinds, 0.2, maps=maps, masks=masks, pixel_threshold=0.7)
    counts = ranking.pixel_counts(maps, masks)
    expected = metrics.pixel_figures(counts, result["pictures"])
    got = result["figures"]["pixel"]
    assert got.pop("oracle") == pytest.approx(expected.pop("oracle"), abs=1e-12)
    assert got == pytest.approx(expected, abs=1e-12)
    assert result["figures"]["image"] == metrics.image_figures(scores, labels, 0.2)


def test_a_result_has_the_promised_fields_and_is_plain_json():
    scores, labels, kinds, maps, masks = eight_pictures()
    result = metrics.evaluate(scores, labels, kinds, 0.2, maps=maps, masks=masks, pixel_threshold=0.7)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    figures = result["figures"]
    decided = {"precision", "recall", "f1"}
    assert set(figures["image"]) == {"auroc", "ap", "accuracy", "misses", "false_alarms", "report", "oracle"} | decided
    means = {f"{key}_mean" for key in decided}
    assert set(figures["pixel"]) == {"auroc", "ap", "pro", "oracle"} | decided | means
    of_kind = {"images", "image_auroc", "image_recall", "pixel_auroc", "pixel_ap", "pro"}
    assert set(figures["by_kind"]["hole"]) == of_kind | {f"pixel_{key}" for key in decided}
    assert set(result["curves"]["image"]) == {"roc", "pr"}
    assert set(result["curves"]["pixel"]) == {"roc", "pr", "pro"}


def test_a_method_without_maps_has_image_figures_only():
    scores, labels, kinds, *_ = eight_pictures()
    result = metrics.evaluate(scores, labels, kinds, 0.2)
    pixel = result["figures"]["pixel"]
    assert pixel.pop("oracle") == {"f1": None, "threshold": None}
    assert set(pixel.values()) == {None}
    assert result["figures"]["by_kind"]["hole"]["image_recall"] is not None
    assert result["figures"]["by_kind"]["hole"]["pixel_f1"] is None
    assert result["pictures"] == []


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


def broken(field):
    maps, masks = pictures(DRAWS["continuous"])
    if field == "NaN":
        maps[2][4, 5] = np.nan
    elif field == "float64":
        maps[2] = maps[2].astype(np.float64)
    elif field == "shape":
        masks[2] = masks[2].T
    return maps, masks


@pytest.mark.parametrize("field, message", [("NaN", "NaN in 1 of 1240"), ("float64", "float64"), ("shape", "same")])
def test_a_broken_map_is_named(field, message):
    with pytest.raises(ValueError, match=rf"picture 2\b.*{message}"):
        ranking.pixel_counts(*broken(field))


def test_wrong_image_scores_and_lengths_are_named():
    with pytest.raises(ValueError, match="picture 1 has score nan"):
        ranking.image_counts([0.0, np.nan], [0, 1])
    with pytest.raises(ValueError, match="picture 0 .*label 2"):
        ranking.image_counts([0.0, 1.0], [2, 1])
    with pytest.raises(ValueError, match="'kinds': 1"):
        metrics.evaluate([0.0, 1.0], [0, 1], ["good"], 0.5)


MEMORY = """
import resource
import numpy as np
from jaxdefect import metrics, ranking

class Pictures:
    def __init__(self, count, mask):
        self.count, self.mask = count, mask
    def __len__(self):
        return self.count
    def __getitem__(self, i):
        mask = np.zeros((1024, 1024), np.uint8)
        mask[100:120, 100:120] = 1
        return mask if self.mask else np.random.default_rng(i).random((1024, 1024), np.float32) + np.float32(0.3) * mask

def peak_after(count):
    ranking.pixel_counts(Pictures(count, False), Pictures(count, True))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

print(peak_after(8), peak_after(40))
"""


def test_memory_does_not_grow_with_the_good_pixels():
    run = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    few, many = map(int, run.stdout.split())  # MB
    # Holding the scores of the 32 further pictures takes 128 MB; what is left to the allocators varies by some 50 MB.
    assert many - few < 100
