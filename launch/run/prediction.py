"""One image through a trained run. This is the one place that decides how images are cut into tiles."""

from collections.abc import Iterable
from typing import NamedTuple

import jax
import numpy as np
import scipy.ndimage
from ml_collections import ConfigDict
from PIL import Image

from jaxdefect import scoring
from jaxdefect.detector import Scores
from jaxdefect.maps import tiling
from launch.run.data import Data, convert, sizes_of
from launch.run.trained import Run

MANY_SIZES = 8  # Each size of images is a program of its own when scored whole (a second each to compile).
PROGRAMS = 64  # that are kept: each is of one size of images and maps memory, of which a process has a bounded part
SMALLEST = float(np.finfo(np.float32).tiny)  # normal number
BESIDE_SCORE = ("surface", "classes", "embedding", "kinds", "boxes")  # what some detectors give of an image


class Prediction(NamedTuple):
    """What a run says of one image, at its original resolution; a higher score is worse."""

    score: float
    map: np.ndarray | None = None  # float32 [H, W]
    otsu: float | None = None  # Otsu's level of the map, where that is the rule of pixels
    reconstruction: np.ndarray | None = None  # float32 [h, w, C], at the size the detector saw
    surface: int | None = None
    classes: np.ndarray | None = None  # float32 [K]
    embedding: np.ndarray | None = None  # float32 [A]
    kinds: np.ndarray | None = None  # float32 [1 + K]: good, and each kind of defect
    boxes: np.ndarray | None = None  # float32 [N, 5]: top, left, bottom, right in pixels, and a score


class Predictor(NamedTuple):
    """A trained run and how it looks at images: whole, or cut into tiles."""

    run: Run
    tiles: tiling.Tiles | None

    def __call__(self, image: np.ndarray, size: tuple[int, int] | None = None) -> Prediction:
        """image: uint8 [h, w, C] as the detector sees it (`data.convert`). size: that of its original, if another."""
        height, width = image.shape[:2]
        size = size or (height, width)
        by_otsu = self.run.config.threshold.pixel_rule == "otsu"
        if scoring.detect._cache_size() >= PROGRAMS:
            scoring.detect.clear_cache()
        detection = jax.device_get(
            scoring.detect(
                self.run.detector,
                self.run.state,
                on_canvas(image, self.tiles),
                tiles=self.tiles,
                threshold=None if by_otsu else np.inf,
            )  # fmt: skip
        )
        crop = lambda x: None if x is None else x[0, :height, :width]
        anomaly_map = crop(detection.scores.map)
        if anomaly_map is not None and size != (height, width):
            anomaly_map = enlarged(anomaly_map, size)
        beside = beside_score(detection.scores, 0)
        if "boxes" in beside:
            beside["boxes"] = boxes_at(beside["boxes"], (height, width), size)
        return Prediction(
            float(detection.scores.image[0]), anomaly_map, float(detection.threshold[0]) if by_otsu else None,
            crop(detection.scores.reconstruction), **beside,
        )  # fmt: skip

    def original(self, image: np.ndarray) -> Prediction:
        """Of an image uint8 [H, W, C] as it was taken."""
        return self(convert(self.run.config, image), image.shape[:2])


def predictor(run: Run, sizes: Iterable[tuple[int, int]]) -> Predictor:
    """Of images of these sizes, (height, width) as the detector sees them."""
    return Predictor(run, tiles_of(run.config, sizes))


def predictor_of(run: Run, data: Data) -> Predictor:
    """Of all images of a dataset, so that thresholds are fitted on what is scored in the same way as the test."""
    return predictor(run, dataset_sizes(data))


def dataset_sizes(data: Data) -> list[tuple[int, int]]:
    """(height, width) of all images of a dataset as the detector sees them."""
    splits = (data.converted.train, data.converted.calibration, data.converted.test)
    return [size for split in splits for size in sizes_of(split)]


def tiles_of(config: ConfigDict, sizes: Iterable[tuple[int, int]]) -> tiling.Tiles | None:
    """How images of these sizes, as the detector sees them, are scored: None for whole."""
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


def beside_score(scores: Scores, place: int) -> dict:
    """What a detector gives of one image of a batch beside its score, its map and its reconstruction."""
    given = {name: getattr(scores, name)[place] for name in BESIDE_SCORE if getattr(scores, name) is not None}
    return given | ({"surface": int(given["surface"])} if "surface" in given else {})


def boxes_at(boxes: np.ndarray, shown: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """The boxes [N, 5] of an image of `shown` pixels that have a score and lie in it, in pixels of the original's."""
    boxes = boxes[boxes[:, 4] > 0]
    boxes[:, :4] = np.clip(boxes[:, :4], 0, [*shown, *shown])
    boxes = boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]
    down, across = size[0] / shown[0], size[1] / shown[1]
    return (boxes * np.array([down, across, down, across, 1])).astype(np.float32)


def enlarged(anomaly_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map float32 [h, w] at another size, bilinear. On the host: originals of many sizes would compile many times."""
    height, width = size
    return np.asarray(Image.fromarray(anomaly_map).resize((width, height), Image.Resampling.BILINEAR))


def defect_mask(prediction: Prediction, level: float | None, min_area: int) -> np.ndarray | None:
    """bool [H, W]: where the map is above the level (None: Otsu's), without defects of fewer than min_area pixels.

    None for a detector without a map. The same as `scoring.detect` does on the device.
    """
    if prediction.map is None:
        return None
    level = prediction.otsu if level is None else level
    # To XLA a subnormal number is 0, and nothing that is 0 lies above it.
    mask = prediction.map >= SMALLEST if abs(level) < SMALLEST else prediction.map > level
    if min_area <= 1:
        return mask
    labels, _ = scipy.ndimage.label(mask, np.ones((3, 3)))
    return mask & (np.bincount(labels.ravel())[labels] >= min_area)


def memory(predictor: Predictor, image: np.ndarray) -> float:
    """Megabytes that scoring one uint8 image [h, w, C] takes: weights, temporaries and results, as compiled."""
    canvas, run = on_canvas(image, predictor.tiles), predictor.run
    lowered = scoring.detect.lower(run.detector, run.state, canvas, threshold=np.inf, tiles=predictor.tiles)
    plan = lowered.compile().memory_analysis()
    return (plan.argument_size_in_bytes + plan.temp_size_in_bytes + plan.output_size_in_bytes) / 1e6
