"""One picture through a trained run, back at its original resolution."""

from typing import NamedTuple

import jax
import numpy as np
import scipy.ndimage
from PIL import Image

from jaxdefect import scoring
from launch import experiment
from launch.experiment import Run


class Detected(NamedTuple):
    """One picture, scored, at original resolution."""

    score: float
    map: np.ndarray | None  # float32 [H, W]
    mask: np.ndarray | None  # bool [H, W]
    reconstruction: np.ndarray | None  # float32 [h, w, C], at the size the detector saw


def detect_picture(run: Run, image: np.ndarray, size: tuple[int, int], *, tiles, level, min_area: int) -> Detected:
    """Scores one uint8 picture [h, w, C] and brings its map to `size`, that of the original."""
    height, width = image.shape[:2]
    same = size == (height, width)
    found = scoring.detect(
        run.detector, run.state, experiment.on_canvas(image, tiles), threshold=level, tiles=tiles,
        min_area=min_area if same else 0,
    )  # fmt: skip
    scores, mask, levels = jax.device_get(found)
    crop = lambda x: None if x is None else x[0, :height, :width]
    scored, mask = crop(scores.map), crop(mask)
    if scored is not None and not same:
        scored = enlarged(scored, size)
        mask = without_small(scored > levels[0], min_area)
    return Detected(float(scores.image[0]), scored, mask, crop(scores.reconstruction))


def enlarged(scored: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map float32 [h, w] at another size, bilinear. On the host: originals of many sizes would compile many times."""
    height, width = size
    return np.asarray(Image.fromarray(scored).resize((width, height), Image.Resampling.BILINEAR))


def without_small(mask: np.ndarray, min_area: int) -> np.ndarray:
    """A mask [H, W] without defects of fewer than min_area pixels: `components.remove_small` on the host."""
    if min_area <= 1:
        return mask
    labels, _ = scipy.ndimage.label(mask, np.ones((3, 3)))
    return mask & (np.bincount(labels.ravel())[labels] >= min_area)


def memory(run: Run, image: np.ndarray) -> float:
    """Megabytes that scoring one uint8 picture [h, w, C] takes: weights, temporaries and results, as compiled."""
    tiles = experiment.tiles_of(run.config, [image.shape[:2]])
    padded = experiment.on_canvas(image, tiles)
    lowered = scoring.detect.lower(run.detector, run.state, padded, threshold=np.inf, tiles=tiles)
    plan = lowered.compile().memory_analysis()
    return (plan.argument_size_in_bytes + plan.temp_size_in_bytes + plan.output_size_in_bytes) / 1e6
