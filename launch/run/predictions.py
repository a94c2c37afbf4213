"""What a trained run says of all images of a split, beside what is true of them."""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from data_pipeline import Split
from launch.command import files
from launch.command.console import progress_bar
from launch.run import cached_features
from launch.run.data import Data
from launch.run.overlap import batches, in_threads
from launch.run.prediction import Prediction, Predictor, beside_score, defect_mask

TIMED = 8  # images that are timed where scores come from features kept on disk


class PackedMasks(Sequence):
    """Masks at one bit a pixel, so that those of 10^9 pixels fit in memory."""

    def __init__(self, masks: Iterable[np.ndarray] = ()):
        self._packed: list[tuple[np.ndarray, int]] = []
        for mask in masks:
            self.append(mask)

    def append(self, mask: np.ndarray) -> None:
        self._packed.append((np.packbits(mask, axis=1), mask.shape[1]))

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, index: int) -> np.ndarray:
        packed, width = self._packed[index]
        return np.unpackbits(packed, axis=1, count=width)


class Predictions(NamedTuple):
    """Of the images of a split, in its order; what a detector does not give is None."""

    records: Sequence
    scores: list[float]
    maps: list[np.ndarray] | None  # float32 [H, W], read from disk as needed
    otsu: list[float | None]
    masks: PackedMasks  # the truth, for a detector with maps; empty masks where nobody has outlined the defects
    outlined: bool  # whether the defects of all defective images are outlined
    milliseconds: float  # an image, median
    surfaces: list[int] | None = None
    classes: np.ndarray | None = None  # float32 [N, K]
    embeddings: np.ndarray | None = None  # float32 [N, A]
    kinds: np.ndarray | None = None  # float32 [N, 1 + K]
    boxes: list[np.ndarray] | None = None  # float32 [M, 5] of each image, in pixels of the original

    def mask(self, index: int, level: float | None, min_area: int) -> np.ndarray:
        """What is called defective in an image, see `defect_mask`."""
        return defect_mask(Prediction(self.scores[index], self.maps[index], self.otsu[index]), level, min_area)


def predict(
    predictor: Predictor, data: Data, split: Split, folder: Path, *, original: Split | None = None, what: str = "images"
) -> Predictions:
    """Scores every image of a split; the maps go to a folder, which is made.

    original: the same images at original resolution, where maps and boxes are to be of that size. Where a frozen
    backbone's features are kept, they are what is scored. what: how the images are called while it lasts.
    """
    folder.mkdir(parents=True)
    every, seconds, masks, original = [], [], PackedMasks(), original or split
    outlined = all(record.has_mask for record in split.records)

    def keep(seen: tuple[int, Prediction, float | None]) -> tuple[Prediction, float | None, np.ndarray | None]:
        """Writes a map, and reads what is true of its pixels."""
        index, prediction, taken = seen
        if prediction.map is None:
            return prediction, taken, None
        files.write_array(folder / f"{index:05d}.npy", prediction.map)
        mask = original[index].mask if original.records[index].label else None
        return prediction._replace(map=None), taken, np.zeros(prediction.map.shape, np.uint8) if mask is None else mask

    with progress_bar() as bar:
        task = bar.add_task(f"scoring {what}", total=len(split), note="")
        for prediction, taken, mask in in_threads(keep, _predictions(predictor, data, split, original)):
            every.append(prediction._replace(reconstruction=None))
            seconds += [taken] if taken is not None else []
            if mask is not None:
                masks.append(mask)
            bar.advance(task)
    paths = sorted(folder.glob("*.npy"))
    maps = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths] if paths else None
    milliseconds = 1e3 * float(np.median(seconds)) if seconds else float("nan")
    return Predictions(
        split.records, [p.score for p in every], maps, [p.otsu for p in every], masks, outlined, milliseconds,
        **_stacked(every),
    )  # fmt: skip


def _predictions(
    predictor: Predictor, data: Data, split: Split, original: Split
) -> Iterator[tuple[int, Prediction, float | None]]:
    """Place and prediction of each image and the seconds it took; features kept on disk take none, so a few go the
    whole way."""
    frozen = predictor.run.detector.frozen
    read = lambda index: (index, split[index].image, (original.records[index].height, original.records[index].width))
    if frozen is None:
        for alike in batches(in_threads(read, range(len(split))), lambda seen: (*seen[1].shape, *seen[2])):
            predicted, taken = _timed(predictor, alike)
            yield from ((seen[0], prediction, taken) for seen, prediction in zip(alike, predicted, strict=True))
        return
    features = cached_features.of(frozen, data, split)
    scores = jax.device_get(jax.jit(frozen.score)(predictor.run.state, jax.device_put(features)))
    for index in range(len(split)):
        taken = _timed(predictor, [read(index)])[1] if index < TIMED else None
        yield index, Prediction(float(scores.image[index]), **beside_score(scores, index)), taken


def _timed(predictor: Predictor, alike: Sequence[tuple[int, np.ndarray, Any]]) -> tuple[list[Prediction], float]:
    """Predictions of images of one size, and the seconds that each took."""
    begun = time.monotonic()
    predicted = predictor.together([image for _, image, _ in alike], alike[0][2])
    return predicted, (time.monotonic() - begun) / len(alike)


def _stacked(every: Sequence[Prediction]) -> dict:
    """What was given of the images beside scores and maps, where the detector gives it."""
    of = lambda field: None if getattr(every[0], field) is None else [getattr(p, field) for p in every]
    stacked = lambda field: None if of(field) is None else np.stack(of(field))
    arrays = {"classes": stacked("classes"), "embeddings": stacked("embedding"), "kinds": stacked("kinds")}
    return {"surfaces": of("surface"), "boxes": of("boxes"), **arrays}
