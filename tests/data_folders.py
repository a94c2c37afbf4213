"""Folders of pictures as datasets have them, made up for the tests."""

from pathlib import Path

import numpy as np
from PIL import Image

import data_pipeline

RNG = np.random.default_rng(0)


def picture(path: Path, *, height=20, width=30, like=None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = RNG.integers(20, 230, (height, width), dtype=np.uint8) if like is None else like
    Image.fromarray(image).save(path)
    return path


def mask(path: Path, *, height=20, width=30, defect=True, values=(0, 255)) -> Path:
    marked = np.full((height, width), values[0], np.uint8)
    if defect:
        marked[5:9, 6:12] = values[1]
    return picture(path, like=marked)


def mvtec(root: Path, *, good=6, suffix="_mask") -> Path:
    for number in range(good):
        picture(root / f"train/good/{number:03d}.png")
    for number in range(2):
        picture(root / f"test/good/{number:03d}.png")
        picture(root / f"test/crack/{number:03d}.png")
        mask(root / f"ground_truth/crack/{number:03d}{suffix}.png")
    return root


def load(name, root=None, **options):
    return data_pipeline.load(name, root=root, cache=False, **options)


def ids(split):
    return [entry.id for entry in split.records]
