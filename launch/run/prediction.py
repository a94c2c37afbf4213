"""Images through a trained run, back at their original resolution."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import jax
import numpy as np
import scipy.ndimage
from ml_collections import ConfigDict
from PIL import Image

from data_pipeline import Split
from jaxdefect import scoring
from jaxdefect.detector import Scores
from jaxdefect.maps import tiling
from launch.run import cached_features
from launch.run.data import Data, sizes_of
from launch.run.trained import Run


class Detected(NamedTuple):
    """One image, scored, at original resolution."""

    score: float
    map: np.ndarray | None  # float32 [H, W]
    mask: np.ndarray | None  # bool [H, W]
    reconstruction: np.ndarray | None  # float32 [h, w, C], at the size the detector saw
    surface: int | None = None
    classes: np.ndarray | None = None  # float32 [K]
    embedding: np.ndarray | None = None  # float32 [A]
    kinds: np.ndarray | None = None  # float32 [1 + K]: good, and each kind of defect
    boxes: np.ndarray | None = None  # float32 [N, 5]: top, left, bottom, right in pixels, and a score


TOLD = ("surface", "classes", "embedding", "kinds", "boxes")  # what detectors may say of an image beside its score


def detect_image(run: Run, image: np.ndarray, size: tuple[int, int], *, tiles, level, min_area: int) -> Detected:
    """Scores one uint8 image [h, w, C] and brings its map to `size`, that of the original."""
    height, width = image.shape[:2]
    same = size == (height, width)
    found = scoring.detect(
        run.detector, run.state, on_canvas(image, tiles), threshold=level, tiles=tiles,
        min_area=min_area if same else 0,
    )  # fmt: skip
    scores, mask, levels = jax.device_get(found)
    crop = lambda x: None if x is None else x[0, :height, :width]
    scored, mask = crop(scores.map), crop(mask)
    if scored is not None and not same:
        scored = enlarged(scored, size)
        mask = without_small(scored > levels[0], min_area)
    said = told(scores, 0)
    if "boxes" in said:
        down, across = size[0] / height, size[1] / width
        found = said["boxes"][said["boxes"][:, 4] > 0]
        said["boxes"] = (found * np.array([down, across, down, across, 1])).astype(np.float32)
    return Detected(float(scores.image[0]), scored, mask, crop(scores.reconstruction), **said)


def told(scores: Scores, place: int) -> dict:
    """What a detector says of one image of a batch beside its score, its map and its reconstruction."""
    said = {name: getattr(scores, name)[place] for name in TOLD if getattr(scores, name) is not None}
    return said | ({"surface": int(said["surface"])} if "surface" in said else {})


def each(run: Run, data: Data, split: Split) -> Iterator[Detected]:
    """Every image of a split, scored at the size the detector sees; masks are not made.

    Where a frozen backbone's features are at hand, they are what is scored, all at once.
    """
    if cached_features.cached(run.config):
        scores = jax.device_get(jax.jit(run.detector.score)(run.state, cached_features.of(run.config, data, split)))
        for place in range(len(split)):
            yield Detected(float(scores.image[place]), None, None, None, **told(scores, place))
        return
    tiles = tiles_of(run.config, sizes_of(split))
    for sample in split:
        yield detect_image(run, sample.image, sample.image.shape[:2], tiles=tiles, level=np.inf, min_area=0)


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
    """Megabytes that scoring one uint8 image [h, w, C] takes: weights, temporaries and results, as compiled."""
    tiles = tiles_of(run.config, [image.shape[:2]])
    padded = on_canvas(image, tiles)
    lowered = scoring.detect.lower(run.detector, run.state, padded, threshold=np.inf, tiles=tiles)
    plan = lowered.compile().memory_analysis()
    return (plan.argument_size_in_bytes + plan.temp_size_in_bytes + plan.output_size_in_bytes) / 1e6


MANY_SIZES = 8  # Each size of images is a program of its own when scored whole (a second each to compile).


def tiles_of(config: ConfigDict, sizes: Iterable[tuple[int, int]]) -> tiling.Tiles | None:
    """How images of these (scaled) sizes are scored: None for whole."""
    knobs = config.score
    if knobs.mode not in ("auto", "whole", "tiled"):
        raise ValueError(f"score.mode = {knobs.mode!r} is not known; use auto, whole or tiled")
    if knobs.mode == "whole" or (knobs.mode == "auto" and len(set(sizes)) <= MANY_SIZES):
        return None
    tiles = tiling.Tiles(knobs.tile, knobs.overlap)
    tiling.check_tiles(tiles)
    return tiles


def on_canvas(image: np.ndarray, tiles: tiling.Tiles | None) -> np.ndarray:
    """An image [H, W, C] as a batch of one, mirrored up to a whole grid of tiles, so that few sizes compile."""
    if tiles is None:
        return image[None]
    tall, wide = tiling.canvas(*image.shape[:2], tiles)
    return np.pad(image, ((0, tall - image.shape[0]), (0, wide - image.shape[1]), (0, 0)), "symmetric")[None]
