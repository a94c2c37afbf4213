"""Figures of whole images, decisions, kinds, surfaces and results, against scikit-learn."""

import json

import numpy as np
import pytest
import sklearn.metrics
from sklearn.metrics import accuracy_score, balanced_accuracy_score, classification_report

from jaxdefect.metrics import decisions, ranking
from launch.run.surfaces import confusion_of
from tests.jaxdefect.metrics.score_maps import DRAWS, flat, images


@pytest.mark.parametrize("seed", range(4))
def test_the_report_of_decisions_is_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    defective, flagged = rng.random(88) < 0.6, rng.random(88) < 0.5
    report = decisions.decision_report(defective, flagged)
    expected = classification_report(defective, flagged, target_names=["good", "defective"], output_dict=True)
    names = {"good": "good", "defective": "defective", "macro": "macro avg", "weighted": "weighted avg"}
    for ours, theirs in names.items():
        for key, theirs_key in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score"), ("support",) * 2):
            assert report[ours][key] == pytest.approx(expected[theirs][theirs_key])


def test_the_studys_own_confusion_gives_its_figure_7():
    """TN 26, FP 7, FN 17, TP 38."""
    defective = np.repeat([False, True], [33, 55])
    flagged = np.concatenate([np.repeat([False, True], [26, 7]), np.repeat([False, True], [17, 38])])
    report = decisions.decision_report(defective, flagged)
    rounded = {name: [round(row[key], 2) for key in ("precision", "recall", "f1")] for name, row in report.items()}
    assert rounded["good"] == [0.60, 0.79, 0.68] and rounded["defective"] == [0.84, 0.69, 0.76]
    assert rounded["macro"] == [0.72, 0.74, 0.72] and rounded["weighted"] == [0.75, 0.73, 0.73]


def test_averages_of_what_is_undefined_are_undefined():
    report = decisions.decision_report(np.array([True, True]), np.array([True, False]))
    assert report["good"]["recall"] is None and report["macro"]["recall"] is None
    assert report["defective"]["recall"] == 0.5 and report["macro"]["support"] == 2


def test_kinds_are_judged_by_the_likeliest():
    rng = np.random.default_rng(0)
    true, kinds = rng.integers(0, 4, 60), rng.dirichlet(np.ones(4), 60)
    figures = decisions.kind_figures(true, kinds)
    assert figures["accuracy"] == pytest.approx(accuracy_score(true, kinds.argmax(1)))
    assert figures["mean_recall"] == pytest.approx(balanced_accuracy_score(true, kinds.argmax(1)))
    defective = true > 0
    assert figures["named"] == pytest.approx(accuracy_score(true[defective], kinds.argmax(1)[defective]))


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


NEVER = -np.inf


def test_an_alarm_on_a_seen_surface_is_an_error_and_on_an_unseen_one_a_hit():
    true, scores, surfaces = np.array([0, 0, 1, 1, 2, 2]), [0.1, 0.9, 0.1, 0.1, 0.9, 0.2], [0, 0, 1, 0, 1, 1]
    classes = np.array([[0.0, -1, NEVER]] * 6)
    routed = decisions.routed(scores, surfaces, classes, 0.5, unseen=[2])
    assert routed.tolist() == [0, -1, 1, 0, -1, 1]
    figures = decisions.surface_figures(true, routed, classes, unseen=[2])
    assert figures == {"seen": 0.5, "unseen": 0.5, "harmonic": 0.5, "zero_shot": None}
    assert confusion_of(true, routed, 3).tolist() == [[1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 0, 1]]


def test_seen_is_a_mean_over_surfaces_and_not_over_images():
    true = np.array([0] * 8 + [1] * 2)
    figures = decisions.surface_figures(true, np.array([0] * 10), np.zeros((10, 2)), unseen=[])
    assert figures == {"seen": 0.5, "unseen": None, "harmonic": None, "zero_shot": None}


def test_a_method_that_names_unseen_surfaces_needs_no_threshold_and_has_a_zero_shot_figure():
    true = np.array([0, 1, 2, 2])
    classes = np.array([[3.0, 0, 1], [0, 1, 2], [5, 4, 1], [0, 0, 9]])
    routed = decisions.routed([9.0] * 4, classes.argmax(1), classes, 0.5, unseen=[1, 2])
    assert routed.tolist() == [0, 2, 0, 2]
    figures = decisions.surface_figures(true, routed, classes, unseen=[1, 2])
    assert (figures["seen"], figures["unseen"]) == (1.0, 0.25)  # of class 1 none, of class 2 half
    assert figures["harmonic"] == pytest.approx(2 * 0.25 / 1.25)
    assert figures["zero_shot"] == 0.25  # Class 1 is taken for 2, and one of two of class 2 for 1.
