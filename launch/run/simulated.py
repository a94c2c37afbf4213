"""Flaws painted on held-out normal images: an honest validation set where there are no defects to choose by.

The painters are the ten of the synthetic surfaces, none of which `train.corrupt` shows: what was learned from flaws of
some kinds is judged by others.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from data_pipeline import Split, images
from data_pipeline.record import PART, Sample
from data_pipeline.synthetic import defects
from jaxdefect.detector import Detector, no_calibration
from jaxdefect.metrics import ranking
from launch.run.data import Data, convert, patch_of

LEAST = 60  # flawed images; of few normal ones each is painted on several times
FAINTEST = 0.3  # of a painter's contrast
WINDOWS = 64  # of good images, and as many flawed ones, to validate on while training
SEED = 7  # of all that is painted: the same for every run


def painted(config: ConfigDict, normal: Split, original: Split, *, least: int = LEAST) -> Split:
    """Normal images with one flaw each: every image once or, where there are fewer than `least`, several times.

    normal, original: as the detector of a config sees them, and as they were taken. Flaws are painted on the second, so
    that they are the same however large the detector sees them. ids end in `#` and the kind of flaw. Masks mark what
    was changed.
    """
    count = len(normal) * -(-least // len(normal))
    kinds = list(defects.KINDS.values())
    entries = [
        entry._replace(id=f"{entry.id}{PART}{kinds[place % len(kinds)].name}{place // len(normal)}", label=1,
                       kind=kinds[place % len(kinds)].name, has_mask=True)
        for place in range(count) for entry in [normal.records[place % len(normal)]]
    ]  # fmt: skip

    def sample(place: int) -> Sample:
        entry, image = entries[place], original[place % len(normal)].image
        flawed, mask = paint(image, kinds[place % len(kinds)], seed=place)
        flawed = convert(config, flawed)
        mask = images.resize_mask(mask, height=flawed.shape[0], width=flawed.shape[1])
        return Sample(flawed, mask, 1, entry.kind, entry.surface, entry.id)

    return Split(entries, sample)


def paint(image: np.ndarray, kind: defects.Kind, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(uint8 [H, W, C] with a flaw of random place, size and strength, mask uint8 [H, W] of the pixels it changed)."""
    rng = np.random.default_rng((SEED, seed))
    grey = image.astype(np.float32).mean(-1)
    with_defect, _, _ = defects.add_defect(rng, grey, kind, contrast=rng.uniform(FAINTEST, 1))
    flawed = np.clip(np.round(image + (with_defect - grey)[..., None]), 0, 255).astype(np.uint8)
    return flawed, (flawed != image).any(-1).astype(np.uint8)


def validation(config: ConfigDict, data: Data, detector: Detector) -> Callable[[Any], dict[str, float]]:
    """state -> how well flaws painted on held-out normal images are found, in windows of train.patch pixels.

    image_auroc, image_ap, pixel_auroc, pixel_ap; and loss, 1 less the mean of the first and the last: what patience and
    restore go by. Raises ValueError for a detector whose scores need calibration, which comes after training.
    """
    if detector.calibrate is not no_calibration:
        raise ValueError(f"train.validate_on = 'simulated': {config.detector} scores by what calibration gathers after "
                         "training; use train.validate_on=normal")  # fmt: skip
    good, flawed, masks = windows(data.converted.calibration, patch_of(config, data.converted.calibration))
    seen = jnp.asarray(np.concatenate([good, flawed]), jnp.float32) / 255
    truth = np.concatenate([np.zeros_like(masks), masks])
    labels = [0] * len(good) + [1] * len(flawed)
    score = jax.jit(detector.score)

    def validate(state: Any) -> dict[str, float]:
        scores = jax.device_get(score(state, seen))
        figures = found(scores.image.tolist(), labels, None if scores.map is None else list(scores.map), list(truth))
        named = {f"{part}_{name}": value for part, of_part in figures.items() for name, value in of_part.items()}
        shown = figures.get("pixel", figures["image"])["ap"]
        return {"loss": 1 - (named["image_auroc"] + shown) / 2} | named

    return validate


def found(
    scores: Sequence[float], labels: Sequence[int], maps: Sequence | None, masks: Sequence | None
) -> dict[str, dict[str, float]]:
    """How well flawed images, and their pixels, stand out: {"image": {"auroc", "ap"}, "pixel": the same, if maps}."""
    counts = {"image": ranking.image_counts(scores, labels)}
    counts |= {} if maps is None else {"pixel": ranking.pixel_counts(maps, masks)}
    measure = lambda of: {"auroc": ranking.area_under_roc(of), "ap": ranking.average_precision(of)}
    return {part: measure(of) for part, of in counts.items()}


def windows(normal: Split, patch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(good, flawed uint8 [WINDOWS, patch, patch, C], masks uint8 [WINDOWS, patch, patch]) of normal images.

    A flaw is painted on the window, so that it lies wholly inside it. Raises ValueError for an image smaller than the
    window.
    """
    rng = np.random.default_rng(SEED)
    kinds = list(defects.KINDS.values())
    good, flawed, masks = [], [], []
    for place in range(WINDOWS):
        sample = normal[place % len(normal)]
        free = np.array(sample.image.shape[:2]) - patch
        if free.min() < 0:
            raise ValueError(f"{sample.id} is {sample.image.shape[0]} x {sample.image.shape[1]} pixels, smaller than "
                             f"train.patch = {patch}; use a smaller patch or a larger data.scale")  # fmt: skip
        cut = lambda corner, image=sample.image: image[corner[0] :, corner[1] :][:patch, :patch]
        good.append(cut(rng.integers(0, free + 1)))
        window, mask = paint(cut(rng.integers(0, free + 1)), kinds[place % len(kinds)], seed=place)
        flawed.append(window)
        masks.append(mask)
    return np.stack(good), np.stack(flawed), np.stack(masks)
