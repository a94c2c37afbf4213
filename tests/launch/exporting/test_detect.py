"""The script that goes with an exported model reads images and drops small defects as we do."""

import ast
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image

from data_pipeline import images
from launch.exporting import detect


def test_it_is_short_and_needs_no_more_than_it_says():
    text = Path(detect.__file__).read_text()
    tree = ast.walk(ast.parse(text))
    names = {alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names}
    assert len(text.splitlines()) < 100
    assert names <= {"argparse", "json", "sys", "numpy", "onnxruntime"}


def test_small_defects_are_dropped_as_scipy_labels_them():
    rng = np.random.default_rng(0)
    spiral = np.zeros((21, 21), bool)
    for ring in range(0, 10, 2):
        spiral[ring, ring : 21 - ring] = spiral[ring : 21 - ring, 20 - ring] = spiral[20 - ring, ring : 21 - ring] = (
            True
        )
        spiral[ring + 2 : 21 - ring, ring] = True
        spiral[ring + 2, ring : ring + 2] = True
    masks = [rng.random((40, 60)) > share for share in (0.4, 0.6, 0.8, 0.95)] + [spiral, np.zeros((5, 5), bool)]
    for mask in masks:
        labels, _ = scipy.ndimage.label(mask, np.ones((3, 3)))
        for least in (2, 5, 30):
            kept = mask & (np.bincount(labels.ravel())[labels] >= least)
            assert np.array_equal(detect.without_small(mask, least), kept)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "I;16", "I"])
@pytest.mark.parametrize("channels", [1, 3])
def test_files_are_read_as_ours_are(tmp_path, mode, channels):
    rng = np.random.default_rng(0)
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 65536, (9, 7), np.uint16))
    elif mode == "I":
        image = Image.fromarray(rng.integers(0, 65536, (9, 7), np.int32))
    else:
        colours = Image.fromarray(rng.integers(0, 256, (9, 7, 4), np.uint8), "RGBA")
        image = colours if mode == "RGBA" else colours.convert("RGB").convert(mode)
    path = tmp_path / ("a.tif" if mode in ("CMYK", "I") else "a.png")
    image.save(path)
    assert np.array_equal(detect.read(path, channels), images.read_image(path, channels=channels))
