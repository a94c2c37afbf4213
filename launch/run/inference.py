"""A trained run in use: images in, scores, decisions, masks and defects out; single, in batches or as a stream."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxdefect.maps.tiling import Tiles
from launch.run.folder import read_thresholds
from launch.run.overlap import batches, in_threads
from launch.run.prediction import Prediction, Predictor, decide
from launch.run.regions import Region, regions
from launch.run.trained import load_run


class Found(NamedTuple):
    """What a run says of one image, at its original resolution. An image that passes has no defects, see `decide`."""

    score: float  # higher is worse
    defective: bool  # score > image_threshold
    image_threshold: float
    map: np.ndarray | None  # float32 [H, W]; None of a detector without a map, as are the mask and the regions
    mask: np.ndarray | None  # bool [H, W]: map > pixel_threshold of a defective image, empty of one that passes
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
        together = batches(prepared, lambda image: image.shape)
        return in_threads(self.judge, (found for images in together for found in self.predict_together(images)))

    def predict(self, image: np.ndarray) -> Prediction:
        """What the detector says of an image uint8 [H, W, C]."""
        return self.predictor.original(image)

    def predict_together(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        """The same of images of one size in one call, see `batches`."""
        return self.predictor.originals(images) if len(images) > 1 else [self.predict(images[0])]

    def decide(self, prediction: Prediction) -> tuple[bool, np.ndarray | None]:
        """Whether an image is defective, and its mask, see `prediction.decide`."""
        return decide(
            prediction, image_threshold=self.image_threshold, pixel_threshold=self.pixel_threshold,
            min_area=self.min_area,
        )  # fmt: skip

    def level(self, prediction: Prediction) -> float | None:
        """The pixel threshold of an image: Otsu's of its own where that is the rule."""
        return prediction.otsu if self.pixel_threshold is None else self.pixel_threshold

    def judge(self, prediction: Prediction) -> Found:
        """Decision, mask and defects of a prediction."""
        defective, mask = self.decide(prediction)
        found = prediction.score, defective, self.image_threshold, prediction.map, mask
        if mask is None:
            return Found(*found, None, None, prediction)
        return Found(*found, self.level(prediction), regions(mask, prediction.map), prediction)


def open_run(
    folder: str | Path, *, pixel_threshold: float | None = None, image_threshold: float | None = None,
    min_area: int | None = None,
) -> OpenRun:  # fmt: skip
    """The trained run of a folder, ready to look at images: its weights are on the device.

    Images are scored as those were that its thresholds were fitted on, whole or in tiles. The thresholds, and the least
    area of a defect in pixels, may be given in place of the run's. Raises FileNotFoundError or ValueError with the
    remedy for a folder that holds no finished run.
    """
    run, fitted = load_run(Path(folder)), read_thresholds(Path(folder))
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
