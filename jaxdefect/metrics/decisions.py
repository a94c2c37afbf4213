"""How good the decisions are, and all figures of a run together.

A higher score is worse; label 1 is defective, 0 good; predicted means score strictly above the threshold. A figure
that is undefined is None. What depends on the order of scores alone is in `ranking`.
"""

from collections.abc import Sequence

import numpy as np
from jax import Array

from jaxdefect.metrics.ranking import (
    Counts,
    area_under_roc,
    average_precision,
    best_f1,
    curves,
    image_counts,
    per_region_overlap,
    pixel_counts,
    pixels_of,
    positive_scores,
)


def decision_figures(hits: int, defective: int, predicted: int) -> dict:
    """Precision, recall and F1 of `predicted` items, of which `hits` are among the `defective` ones."""
    return {
        "precision": hits / predicted if predicted else None,
        "recall": hits / defective if defective else None,
        "f1": 2 * hits / (defective + predicted) if defective + predicted else None,
    }


def decision_report(defective: np.ndarray, flagged: np.ndarray) -> dict[str, dict]:
    """precision, recall, f1 and support (images) of `good` and `defective`, and of both: their `macro` average and
    the one `weighted` by support. Averages are None where one of the two is.

    defective, flagged: bool [N]. Source: the form of Garzo, Miklos and Herbai's Figure 7, which is scikit-learn's.
    """
    rows = {}
    for name, true, called in (("good", ~defective, ~flagged), ("defective", defective, flagged)):
        figures = decision_figures(int(np.sum(true & called)), int(true.sum()), int(called.sum()))
        rows[name] = figures | {"support": int(true.sum())}
    both = [rows["good"], rows["defective"]]
    support = [row["support"] for row in both]
    for name, weights in (("macro", (1, 1)), ("weighted", support)):
        rows[name] = {key: _average([row[key] for row in both], weights) for key in ("precision", "recall", "f1")}
        rows[name]["support"] = sum(support)
    return rows


def _average(values: Sequence[float | None], weights: Sequence[float]) -> float | None:
    return None if None in values or not sum(weights) else float(np.average(values, weights=weights))


def kind_figures(true: Sequence[int], kinds: np.ndarray) -> dict:
    """figures.kinds of result.json: how well good images and kinds of defect are told apart by the likeliest of them.

    true: the place of each image's class, 0 for good; kinds [N, 1 + K]. accuracy: the share named rightly.
    mean_recall: its mean over the classes there are; named: among defective images, the share whose kind is right.
    """
    true, named = np.asarray(true), np.argmax(kinds, 1)
    right = named == true
    recalls = [float(np.mean(right[true == place])) for place in np.unique(true)]
    return {
        "accuracy": float(np.mean(right)) if len(right) else None,
        "mean_recall": float(np.mean(recalls)) if recalls else None,
        "named": float(np.mean(right[true > 0])) if (true > 0).any() else None,
    }


def per_image_decisions(
    maps: Sequence[Array], masks: Sequence[Array], threshold: float | None, *, predicted: Sequence[Array] | None = None
) -> list[dict]:
    """Per image: defect_pixels, predicted_pixels, hits, precision, recall, f1.

    predicted: masks {0, 1} [H, W] after whatever post-processing; without them, the pixels above the threshold count.
    """
    if predicted is None and threshold is None:
        raise ValueError("without a pixel threshold (Otsu sets one per image), give the predicted masks")
    rows = []
    for index in range(len(maps)):
        image, mask = pixels_of(maps, masks, index)
        flagged = image > threshold if predicted is None else np.asarray(predicted[index]) != 0
        if flagged.shape != mask.shape:
            raise ValueError(f"image {index}: the predicted mask is {flagged.shape}, the true one {mask.shape}")
        hits, defect, predicted_pixels = (int(np.count_nonzero(m)) for m in (flagged & mask, mask, flagged))
        row = {"defect_pixels": defect, "predicted_pixels": predicted_pixels, "hits": hits}
        rows.append(row | decision_figures(hits, defect, predicted_pixels))
    return rows


def image_figures(scores: Sequence[float], labels: Sequence[int], threshold: float) -> dict:
    """figures.image of result.json: ranking figures, and the decisions at a threshold fitted elsewhere."""
    counts = image_counts(scores, labels)
    flagged, defective = np.asarray(scores, np.float64) > threshold, np.asarray(labels) == 1
    hits = int(np.sum(flagged & defective))
    return {
        "auroc": area_under_roc(counts),
        "ap": average_precision(counts),
        **decision_figures(hits, int(defective.sum()), int(flagged.sum())),
        "accuracy": float(np.mean(flagged == defective)) if len(flagged) else None,
        "misses": int(defective.sum()) - hits,
        "false_alarms": int(flagged.sum()) - hits,
        "report": decision_report(defective, flagged),
        "oracle": best_f1(counts),
    }


def pixel_figures(counts: Counts, rows: Sequence[dict]) -> dict:
    """figures.pixel of result.json, from `pixel_counts` and `image_figures` of the same images.

    precision, recall, f1 pool the pixels of all images, those that pass as good included, so that they judge the map
    alone; the means are over the images with a defect, where one in
    which nothing is predicted has precision 0: a miss must not raise a mean.
    """
    pooled = (sum(row[key] for row in rows) for key in ("hits", "defect_pixels", "predicted_pixels"))
    defective = [row for row in rows if row["defect_pixels"]]
    means = {
        f"{key}_mean": float(np.mean([row[key] or 0.0 for row in defective])) if defective else None
        for key in ("precision", "recall", "f1")
    }
    return {
        "auroc": area_under_roc(counts),
        "ap": average_precision(counts),
        "pro": per_region_overlap(counts),
        **decision_figures(*pooled),
        **means,
        "oracle": best_f1(counts),
    }


def evaluate(
    scores: Sequence[float],
    labels: Sequence[int],
    kinds: Sequence[str],
    image_threshold: float,
    *,
    maps: Sequence[Array] = (),
    masks: Sequence[Array] = (),
    pixel_threshold: float | None = None,
    predicted: Sequence[Array] | None = None,
) -> dict:
    """{"figures", "curves", "images"}: the first two as in result.json, then the rows of `image_figures`.

    One entry per test image everywhere; without maps (a method that only scores images) pixel figures are None.
    A kind of defect is judged on its own images and all good ones, for images as for pixels, as the evaluation code
    published with MVTec LOCO AD does: without the good ones a detector that fires on every texture would look right.
    Each pixel passes the device once, for all kinds together.
    Raises ValueError for lengths that differ, and as `pixel_counts` does.
    """
    lengths = {"scores": len(scores), "labels": len(labels), "kinds": len(kinds)}
    if len(maps):
        lengths |= {"maps": len(maps), "masks": len(masks)} | (
            {} if predicted is None else {"predicted": len(predicted)}
        )
    if len(set(lengths.values())) > 1:
        raise ValueError(f"one entry per test image is needed, got {lengths}")
    scores, labels, kinds = np.asarray(scores), np.asarray(labels), np.asarray(kinds)
    rows = per_image_decisions(maps, masks, pixel_threshold, predicted=predicted) if len(maps) else []
    table = positive_scores(maps, masks)

    def counts_of(images):
        return pixel_counts(maps, masks, images=images if len(maps) else (), scores=table)

    good = np.flatnonzero(labels == 0)
    total = good_counts = counts_of(good)
    by_kind = {}
    for kind in sorted(set(kinds[labels == 1].tolist())):
        of_kind = np.flatnonzero((labels == 1) & (kinds == kind))
        own_counts = counts_of(of_kind)
        total = total.union(own_counts)
        images = np.concatenate([good, of_kind])
        image = image_figures(scores[images], labels[images], image_threshold)
        pixel = pixel_figures(good_counts.union(own_counts), [rows[i] for i in images] if rows else [])
        by_kind[kind] = {
            "images": len(of_kind),
            "image_auroc": image["auroc"],
            "image_recall": image["recall"],
            **{f"pixel_{key}": pixel[key] for key in ("auroc", "ap", "precision", "recall", "f1")},
            "pro": pixel["pro"],
        }
    image = image_figures(scores, labels, image_threshold)
    figures = {"image": image, "pixel": pixel_figures(total, rows), "by_kind": by_kind}
    drawn = {"image": curves(image_counts(scores, labels)), "pixel": curves(total)}
    return {"figures": figures, "curves": drawn, "images": rows}


def routed(
    scores: Sequence[float], surfaces: Sequence[int], classes: np.ndarray, threshold: float, *, unseen: Sequence[int]
) -> np.ndarray:
    """The surface [N] each image is taken for, -1 where it raises the alarm.

    A method without candidates among the unseen surfaces (their classes [N, K] are -inf) raises it above the threshold;
    one that knows their attributes names them itself, and then no threshold is asked.
    """
    scores, surfaces = np.asarray(scores), np.asarray(surfaces)
    knows = len(unseen) and np.isfinite(classes[:, list(unseen)]).any()
    return surfaces if knows else np.where(scores > threshold, -1, surfaces)


def surface_figures(true: np.ndarray, routed: np.ndarray, classes: np.ndarray, *, unseen: Sequence[int]) -> dict:
    """figures.surfaces of result.json: seen, unseen, harmonic, zero_shot, each in [0, 1] or None where undefined.

    seen: the mean over seen surfaces of the share of images taken for the right one; an alarm is an error. unseen:
    the share of images of unseen surfaces that raise the alarm, or, where a method names unseen surfaces, the mean
    over these of the share named rightly. harmonic: 2 S U / (S + U). zero_shot: rightly named when only unseen surfaces
    may be named; for methods that can. Source: Xian et al., Zero-shot learning: a comprehensive evaluation, TPAMI 2019.
    """
    among = np.isin(true, list(unseen))
    present = sorted(set(true[among].tolist()))
    names = bool(present) and bool(np.isfinite(classes[:, present]).any())

    def right(places: Sequence[int], named: np.ndarray) -> float | None:
        shares = [np.mean(named[true == place] == place) for place in places]
        return float(np.mean(shares)) if shares else None

    seen = right(sorted(set(true[~among].tolist())), routed)
    alarmed = float(np.mean(routed[among] < 0)) if present and not names else right(present, routed)
    both = None
    if seen is not None and alarmed is not None:
        both = 2 * seen * alarmed / (seen + alarmed) if seen + alarmed else 0.0
    zero_shot = right(present, np.array(present)[classes[:, present].argmax(1)]) if names else None
    return {"seen": seen, "unseen": alarmed, "harmonic": both, "zero_shot": zero_shot}
