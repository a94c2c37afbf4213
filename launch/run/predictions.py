"""The test images of a dataset, scored."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from launch.command import console
from launch.run import cached_features
from launch.run.data import Data, sizes_of
from launch.run.prediction import Detected, detect_image, each, tiles_of
from launch.run.trained import Run

TIMED = 8  # images that are timed where scores come from features kept on disk


class PackedMasks(Sequence):
    """Masks at one bit a pixel, so that those of 10^9 pixels fit in memory."""

    def __init__(self):
        self._packed: list[tuple[np.ndarray, int]] = []

    def append(self, mask: np.ndarray) -> None:
        self._packed.append((np.packbits(mask, axis=1), mask.shape[1]))

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, index: int) -> np.ndarray:
        packed, width = self._packed[index]
        return np.unpackbits(packed, axis=1, count=width)


class Scored(NamedTuple):
    """The test images, scored. maps are None for a detector without, masks for images nobody has outlined."""

    records: Sequence
    scores: list[float]
    maps: list[np.ndarray] | None  # float32 [H, W], read from disk as needed
    predicted: PackedMasks
    masks: PackedMasks
    outlined: bool  # whether every defect is known pixel by pixel
    milliseconds: float
    surfaces: list[int] | None = None
    classes: np.ndarray | None = None  # float32 [N, K]
    embeddings: np.ndarray | None = None  # float32 [N, A]
    kinds: np.ndarray | None = None  # float32 [N, 1 + K]
    boxes: list[np.ndarray] | None = None  # float32 [M, 5] of each image, in pixels of the original


def score_test(run: Run, data: Data, folder: Path, *, level: float | None) -> Scored:
    """Scores every test image; the maps go to `folder`."""
    if cached_features.cached(run.config):
        return score_features(run, data)
    test = data.seen.test
    tiles = tiles_of(run.config, sizes_of(test))
    every, seconds, outlined = [], [], True
    predicted, masks = PackedMasks(), PackedMasks()
    with console.progress_bar() as bar:
        task = bar.add_task("scoring ", total=len(test), note="")
        for index in range(len(test)):
            size = data.originals.records[index].height, data.originals.records[index].width
            begun = time.monotonic()
            found = detect_image(
                run, test[index].image, size, tiles=tiles, level=level, min_area=run.config.threshold.min_area
            )
            seconds.append(time.monotonic() - begun)
            every.append(found._replace(map=None, mask=None, reconstruction=None))
            if found.map is not None:
                truth = data.originals[index].mask
                outlined &= truth is not None
                masks.append(np.zeros(size, np.uint8) if truth is None else truth)
                predicted.append(found.mask)
                np.save(folder / f"{index:05d}.npy", found.map, allow_pickle=False)
            bar.advance(task)
    paths = sorted(folder.glob("*.npy"))
    maps = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths] if paths else None
    scores = [found.score for found in every]
    return Scored(
        test.records, scores, maps, predicted, masks, outlined, 1e3 * float(np.median(seconds)), **_told(every)
    )


def score_features(run: Run, data: Data) -> Scored:
    """The same from features kept on disk; a few images go the whole way, to be timed."""
    test = data.seen.test
    every, seconds = list(each(run, data, test)), []
    for sample in (test[place] for place in range(min(TIMED, len(test)))):
        begun = time.monotonic()
        detect_image(run, sample.image, sample.image.shape[:2], tiles=None, level=None, min_area=0)
        seconds.append(time.monotonic() - begun)
    scores, median = [found.score for found in every], 1e3 * float(np.median(seconds))
    return Scored(test.records, scores, None, PackedMasks(), PackedMasks(), False, median, **_told(every))


def _told(every: Sequence[Detected]) -> dict:
    """What else was said of the images, where the detector says it."""
    of = lambda field: None if getattr(every[0], field) is None else [getattr(found, field) for found in every]
    stacked = lambda field: None if of(field) is None else np.stack(of(field))
    arrays = {"classes": stacked("classes"), "embeddings": stacked("embedding"), "kinds": stacked("kinds")}
    return {"surfaces": of("surface"), "boxes": of("boxes"), **arrays}
