"""Figures of whole images, decisions, kinds and results, against scikit-learn."""

import json

import numpy as np
import pytest
import sklearn.metrics

from jaxdefect.metrics import decisions, ranking
from tests.score_maps import DRAWS, flat, images


@pytest.mark.parametrize("name", ["normal", "tied", "single images"])
def test_image_figures_are_those_of_scikit_learn(name):
    rng = np.random.default_rng(1)
    labels = np.array([0, 1]) if name == "single images" else np.array([0, 1, 1] * 15)
    scores = rng.normal(size=labels.size) + labels
    scores = np.round(scores) if name == "tied" else scores
    figures = decisions.image_figures(scores.tolist(), labels.tolist(), 0.5)
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
    assert decisions.image_figures([1.0, np.nextafter(1.0, 2)], [0, 1], 1.0)["auroc"] == 1.0


def test_decisions_are_taken_on_the_predicted_masks_where_given():
    maps, masks = images(DRAWS["continuous"])
    rng = np.random.default_rng(3)
    predicted = [(rng.random(m.shape) < 0.3).astype(np.uint8) for m in masks]
    rows = decisions.per_image_decisions(maps, masks, 0.5, predicted=predicted)
    pixel = decisions.pixel_figures(ranking.pixel_counts(maps, masks), rows)
    truth, flagged = flat(masks, predicted)
    scores = {key: getattr(sklearn.metrics, f"{key}_score") for key in ("precision", "recall", "f1")}
    for key, score in scores.items():
        each = [score(m.ravel(), p.ravel()) for m, p in zip(masks, predicted, strict=True) if m.any()]
        assert pixel[key] == pytest.approx(score(truth, flagged), abs=1e-12)
        assert pixel[f"{key}_mean"] == pytest.approx(np.mean(each), abs=1e-12)
    from_map = decisions.per_image_decisions(maps, masks, 0.5)
    assert from_map == decisions.per_image_decisions(maps, masks, None, predicted=[m > np.float32(0.5) for m in maps])
    with pytest.raises(ValueError, match="predicted masks"):
        decisions.per_image_decisions(maps, masks, None)


def test_a_miss_does_not_raise_a_mean():
    mask = np.array([[0, 1]], np.uint8)
    maps = [np.array([[0, 1]], np.float32), np.zeros((1, 2), np.float32)]
    rows = decisions.per_image_decisions(maps, [mask, mask], 0.5)
    assert rows[1]["precision"] is None
    assert decisions.pixel_figures(ranking.pixel_counts(maps, [mask, mask]), rows)["precision_mean"] == 0.5


def eight_images():
    maps, masks = (
        a + b for a, b in zip(images(DRAWS["heavily tied"]), images(DRAWS["continuous"], seed=1), strict=True)
    )
    kinds = ["crack", "hole", "crack", "good", "hole", "crack", "hole", "good"]
    labels = [int(kind != "good") for kind in kinds]
    scores = np.random.default_rng(5).normal(size=8) + labels
    return scores, labels, kinds, maps, masks


def test_a_kind_is_judged_on_its_own_and_all_good_images():
    scores, labels, kinds, maps, masks = eight_images()
    result = decisions.evaluate(scores, labels, kinds, 0.2, maps=maps, masks=masks, pixel_threshold=0.7)
    assert list(result["figures"]["by_kind"]) == ["crack", "hole"]
    for kind, figures in result["figures"]["by_kind"].items():
        chosen = [i for i, k in enumerate(kinds) if k in (kind, "good")]
        some_maps, some_masks = [maps[i] for i in chosen], [masks[i] for i in chosen]
        image = decisions.image_figures([scores[i] for i in chosen], [labels[i] for i in chosen], 0.2)
        rows = decisions.per_image_decisions(some_maps, some_masks, 0.7)
        pixel = decisions.pixel_figures(ranking.pixel_counts(some_maps, some_masks), rows)
        assert (figures["images"], figures["image_auroc"]) == (3, image["auroc"])
        assert figures["image_recall"] == image["recall"]
        assert figures["pro"] == pytest.approx(pixel["pro"], abs=1e-12)
        for key in ("auroc", "ap", "precision", "recall", "f1"):
            assert figures[f"pixel_{key}"] == pytest.approx(pixel[key], abs=1e-12)


def test_an_evaluation_is_that_of_all_its_images_at_once():
    scores, labels, kinds, maps, masks = eight_images()
    result = decisions.evaluate(scores, labels, kinds, 0.2, maps=maps, masks=masks, pixel_threshold=0.7)
    counts = ranking.pixel_counts(maps, masks)
    expected = decisions.pixel_figures(counts, result["images"])
    got = result["figures"]["pixel"]
    assert got.pop("oracle") == pytest.approx(expected.pop("oracle"), abs=1e-12)
    assert got == pytest.approx(expected, abs=1e-12)
    assert result["figures"]["image"] == decisions.image_figures(scores, labels, 0.2)


def test_a_result_has_the_promised_fields_and_is_plain_json():
    scores, labels, kinds, maps, masks = eight_images()
    result = decisions.evaluate(scores, labels, kinds, 0.2, maps=maps, masks=masks, pixel_threshold=0.7)
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
    scores, labels, kinds, *_ = eight_images()
    result = decisions.evaluate(scores, labels, kinds, 0.2)
    pixel = result["figures"]["pixel"]
    assert pixel.pop("oracle") == {"f1": None, "threshold": None}
    assert set(pixel.values()) == {None}
    assert result["figures"]["by_kind"]["hole"]["image_recall"] is not None
    assert result["figures"]["by_kind"]["hole"]["pixel_f1"] is None
    assert result["images"] == []


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
