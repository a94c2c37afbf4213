"""Folders of images as datasets have them, made up for the tests."""

from pathlib import Path

import numpy as np
from PIL import Image

import data_pipeline

RNG = np.random.default_rng(0)


def write_image(path: Path, *, height=20, width=30, like=None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = RNG.integers(20, 230, (height, width), dtype=np.uint8) if like is None else like
    Image.fromarray(image).save(path)
    return path


def write_mask(path: Path, *, height=20, width=30, defect=True, values=(0, 255)) -> Path:
    marked = np.full((height, width), values[0], np.uint8)
    if defect:
        marked[5:9, 6:12] = values[1]
    return write_image(path, like=marked)


def mvtec(root: Path, *, good=6, suffix="_mask") -> Path:
    for number in range(good):
        write_image(root / f"train/good/{number:03d}.png")
    for number in range(2):
        write_image(root / f"test/good/{number:03d}.png")
        write_image(root / f"test/crack/{number:03d}.png")
        write_mask(root / f"ground_truth/crack/{number:03d}{suffix}.png")
    return root


def load(name, root=None, **options):
    return data_pipeline.load(name, root=root, cache=False, **options)


def ids(split):
    return [entry.id for entry in split.records]
