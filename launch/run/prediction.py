"""One image through a trained run. This is the one place that decides how images are cut into tiles."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy  # Loads ndimage where it is first used: 0.2 s that a start does not pay.
from ml_collections import ConfigDict
from PIL import Image

from jaxdefect import parallel, scoring
from jaxdefect.detector import Scores
from jaxdefect.maps import tiling
from launch.run.data import Data, convert, sizes_of
from launch.run.trained import Run

MANY_SIZES = 8  # Each size of images is a program of its own when scored whole (a second each to compile).
ROUND = 64  # Sides of tiles that are made smaller are a multiple of it.
PROGRAMS = 64  # that are kept: each is of one size of images and maps memory, of which a process has a bounded part
AT_ONCE = 8  # images in a call, on an accelerator
LARGE = 4096 * 4096  # Pixels beyond which it is planned first what an image takes, and tiles are taken if they can be.
NO_MASK = np.float32(np.inf)  # above every map: masks are made on the host
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
        return self.together([image], size or image.shape[:2])[0]

    def together(self, images: Sequence[np.ndarray], size: tuple[int, int]) -> list[Prediction]:
        """Images of one size in one call, `at_once` at most, as in `__call__`; each is scored as it is alone.

        Several are filled up to a whole call, so that none compiles for their number.
        """
        by_otsu = self.run.config.threshold.pixel_rule == "otsu"
        if scoring.detect._cache_size() >= PROGRAMS:
            scoring.detect.clear_cache()
        shown = images[0].shape[:2]
        whole_or_tiled = self.of_size(*shown)
        if shown[0] * shown[1] > LARGE:
            check_memory(whole_or_tiled, images[0])
        filled = [images[-1]] * (at_once(*shown) - len(images)) if len(images) > 1 else []
        positional, named = whole_or_tiled.asked([*images, *filled])
        detection = jax.device_get(scoring.detect(*positional, **named))
        levels = detection.threshold if by_otsu else [None] * len(images)
        return [prediction_of(detection.scores, place, shown, size, levels[place]) for place in range(len(images))]

    def of_size(self, height: int, width: int) -> "Predictor":
        """For images of this size. Large ones are scored in tiles, where a detector's scores follow from its map, so
        that their maps are the same away from the borders of tiles."""
        if self.tiles or height * width <= LARGE:
            return self
        knobs, alike = self.run.config.score, self.run.detector.image_score is not None
        tiles = tiling.Tiles(knobs.tile, knobs.overlap) if alike and knobs.mode == "auto" else None
        return self._replace(tiles=tiles)

    def asked(self, images: Sequence[np.ndarray]) -> tuple[tuple, dict[str, Any]]:
        """What `scoring.detect` is asked of images of one size."""
        named = {
            "tiles": self.tiles,
            "size": jax.device_put(np.array(images[0].shape[:2], np.int32)) if self.tiles else None,
            "threshold": None if self.run.config.threshold.pixel_rule == "otsu" else jax.device_put(NO_MASK),
        }
        canvas = jax.device_put(np.concatenate([on_canvas(image, self.tiles) for image in images]))
        return (self.run.detector, self.run.state, canvas), named

    def original(self, image: np.ndarray) -> Prediction:
        """Of an image uint8 [H, W, C] as it was taken. Raises ValueError where there is too little memory for it."""
        return self.originals([image])[0]

    def originals(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        """Of images [H, W, C] of one size as they were taken, `at_once` at most; see `original`."""
        shown = [convert(self.run.config, image) for image in images]
        return self.together(shown, images[0].shape[:2])


def at_once(height: int, width: int) -> int:
    """How many images of this size are scored in one call: on a CPU one, for more take as long (docs/benchmarks.md)."""
    return 1 if jax.default_backend() == "cpu" else max(1, min(AT_ONCE, LARGE // (height * width)))


def prediction_of(
    scores: Scores, place: int, shown: tuple[int, int], size: tuple[int, int], otsu: float | None
) -> Prediction:
    """The prediction of one image of a batch that was shown at one size, at the size of its original."""
    crop = lambda x: None if x is None else x[place, : shown[0], : shown[1]]
    anomaly_map = crop(scores.map)
    if anomaly_map is not None and size != shown:
        anomaly_map = enlarged(anomaly_map, size)
    beside = beside_score(scores, place)
    if "boxes" in beside:
        beside["boxes"] = boxes_at(beside["boxes"], shown, size)
    return Prediction(
        float(scores.image[place]), anomaly_map, None if otsu is None else float(otsu), crop(scores.reconstruction),
        **beside,
    )  # fmt: skip


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
    """How images of these sizes, as the detector sees them, are scored: None for whole. No tile is much larger than
    the largest of them, for what is mirrored costs as much as an image."""
    knobs, sizes = config.score, list(sizes)
    if knobs.mode not in ("auto", "whole", "tiled"):
        raise ValueError(f"score.mode = {knobs.mode!r} is not known; use auto, whole or tiled")
    if knobs.mode == "whole" or (knobs.mode == "auto" and len(set(sizes)) <= MANY_SIZES):
        return None
    tiling.check_tiles(tiling.Tiles(knobs.tile, knobs.overlap))
    needed = ROUND * -(-max((max(size) for size in sizes), default=knobs.tile) // ROUND)
    return tiling.Tiles(min(knobs.tile, max(needed, 2 * knobs.overlap)), knobs.overlap)


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


def decide(
    prediction: Prediction, *, image_threshold: float, pixel_threshold: float | None, min_area: int
) -> tuple[bool, np.ndarray | None]:
    """The one decision, wherever images are judged: whether an image is defective, and where.

    An image is defective if its score is above the image threshold. Only then has it defects: the mask bool [H, W] is
    `defect_mask`'s of a defective image and empty of one that passes; None for a detector without a map.
    """
    defective = prediction.score > image_threshold
    if prediction.map is None:
        return defective, None
    if not defective:
        return defective, np.zeros(prediction.map.shape, bool)
    return defective, defect_mask(prediction, pixel_threshold, min_area)


def memory(predictor: Predictor, image: np.ndarray) -> float:
    """Megabytes that scoring one uint8 image [h, w, C] takes: weights, temporaries and results, as compiled."""
    positional, named = predictor.asked([image])
    plan = scoring.detect.lower(*positional, **named).compile().memory_analysis()  # The call finds it compiled.
    return (plan.argument_size_in_bytes + plan.temp_size_in_bytes + plan.output_size_in_bytes) / 1e6


def check_memory(predictor: Predictor, image: np.ndarray) -> None:
    """Raises ValueError where scoring a uint8 image [h, w, C] takes more memory than there is."""
    needed, free = memory(predictor, image), parallel.free_memory() / 1e6
    if needed > free:
        remedy = "cut the image into parts"
        if predictor.tiles is None:
            remedy += ", or have all images scored in tiles: python -m launch.evaluate RUN score.mode=tiled"
        height, width = image.shape[:2]
        raise ValueError(f"an image of {height} x {width} pixels takes {needed / 1e3:.1f} GB to score, and "
                         f"{free / 1e3:.1f} GB are free; {remedy}")  # fmt: skip
