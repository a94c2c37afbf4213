"""A trained run in use: images in, scores, decisions, masks and defects out; single, in batches or as a stream."""

import collections
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxdefect.maps.tiling import Tiles
from launch.run import thresholds
from launch.run.prediction import Prediction, Predictor, defect_mask
from launch.run.regions import Region, regions
from launch.run.trained import load_run

THREADS = 2  # that decode and write while the device works
AHEAD = 4  # images that are decoded, and that wait to be written, at most


class Found(NamedTuple):
    """What a run says of one image, at its original resolution."""

    score: float  # higher is worse
    defective: bool  # score > image_threshold
    image_threshold: float
    map: np.ndarray | None  # float32 [H, W]; None of a detector without a map, as are the mask and the regions
    mask: np.ndarray | None  # bool [H, W]: map > pixel_threshold
    pixel_threshold: float | None  # Otsu's of this image where that is the rule
    regions: list[Region] | None  # the defects of the mask, the largest first
    prediction: Prediction  # all that the detector gives: a reconstruction, boxes, kinds, ...


class OpenRun(NamedTuple):
    """A trained run with its thresholds: a function of images.

    min_area: smaller defects are dropped, pixels.
    """

    predictor: Predictor
    pixel_threshold: float | None
    image_threshold: float
    min_area: int

    def __call__(self, images: np.ndarray) -> "Found | list[Found]":
        """An image [H, W] or [H, W, C], uint8 or float in [0, 1], or a batch [B, H, W, C] (a list comes back).

        C: 1 grey, 3 RGB, 4 RGB and an alpha channel that is left out. Raises ValueError for anything else.
        """
        if np.ndim(images) == 4:
            return list(self.stream(images))
        return self.judge(self.predict(as_uint8(images)))

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[Found]:
        """What is found in each image, in their order: some are prepared and judged while the device sees another."""
        prepared = in_threads(as_uint8, images)
        return in_threads(self.judge, (self.predict(image) for image in prepared))

    def predict(self, image: np.ndarray) -> Prediction:
        """What the detector says of an image uint8 [H, W, C]."""
        return self.predictor.original(image)

    def judge(self, prediction: Prediction) -> Found:
        """Decision, mask and defects of a prediction."""
        mask = defect_mask(prediction, self.pixel_threshold, self.min_area)
        level = prediction.otsu if self.pixel_threshold is None else self.pixel_threshold
        return Found(
            prediction.score, prediction.score > self.image_threshold, self.image_threshold, prediction.map, mask,
            None if mask is None else level, None if mask is None else regions(mask, prediction.map), prediction,
        )  # fmt: skip


def open_run(
    folder: str | Path, *, pixel_threshold: float | None = None, image_threshold: float | None = None,
    min_area: int | None = None,
) -> OpenRun:  # fmt: skip
    """The trained run of a folder, ready to look at images: its weights are on the device.

    Images are scored as those were that its thresholds were fitted on, whole or in tiles. The thresholds, and the least
    area of a defect in pixels, may be given in place of the run's. Raises FileNotFoundError or ValueError with the
    remedy for a folder that holds no finished run.
    """
    run, fitted = load_run(Path(folder)), thresholds.read_fitted(Path(folder))
    choose = lambda given, own: own if given is None else given
    tiles = fitted.tiles and Tiles(*fitted.tiles)
    return OpenRun(
        Predictor(run, tiles), choose(pixel_threshold, fitted.pixel),
        choose(image_threshold, fitted.image), choose(min_area, run.config.threshold.min_area),
    )  # fmt: skip


def as_uint8(image: np.ndarray) -> np.ndarray:
    """An image [H, W] or [H, W, C] as uint8 [H, W, 1 or 3]. Raises ValueError for what is none."""
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[-1] not in (1, 3, 4) or 0 in image.shape:
        raise ValueError(f"an image of shape {image.shape}; give [H, W], [H, W, 1], [H, W, 3] or [H, W, 4], or a batch "
                         "[B, H, W, C]")  # fmt: skip
    if image.dtype == bool or not (image.dtype == np.uint8 or np.issubdtype(image.dtype, np.floating)):
        raise ValueError(f"an image of {image.dtype}; give uint8 from 0 to 255, or floats from 0 to 1")
    if image.dtype != np.uint8:
        if not (image.min() >= 0 and image.max() <= 1):  # NaN is neither.
            raise ValueError(f"an image of floats from {image.min():g} to {image.max():g}; give floats from 0 to 1, or "
                             "uint8 from 0 to 255")  # fmt: skip
        image = np.round(image * 255).astype(np.uint8)
    return image[..., :3] if image.shape[-1] == 4 else image


def in_threads(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """work(item) of each item, in their order, done by threads up to AHEAD items early. Errors come at their item."""

    def promised() -> Iterator[concurrent.futures.Future]:
        try:
            for item in items:
                yield pool.submit(work, item)
        except Exception as error:  # What came before it is to be had first.
            failed: concurrent.futures.Future = concurrent.futures.Future()
            failed.set_exception(error)
            yield failed

    waiting: collections.deque[concurrent.futures.Future] = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        try:
            for promise in promised():
                waiting.append(promise)
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for promise in waiting:
                promise.cancel()
