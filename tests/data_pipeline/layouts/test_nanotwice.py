"""NanoTWICE: found, its palette masks read right."""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.data_pipeline.folders import load


def test_nanotwice_is_found_and_its_palette_masks_are_right(real_images):
    dataset = load("nanotwice", real_images / "nanotwice")
    assert len(dataset.train) + len(dataset.calibration) + sum(not e.label for e in dataset.test.records) == 5
    defective = [sample for sample in dataset.test if sample.label]
    assert len(defective) == 14
    for sample in defective:
        assert sample.image.shape == (696, 1024, 1)
        file = Image.open(real_images / f"nanotwice/Anomalous/gt/{Path(sample.id).name}_gt.png")
        assert np.array_equal(sample.mask, np.asarray(file).astype(np.uint8))  # 1-bit, or the palette's index 1.
        assert 0.001 < sample.mask.mean() < 0.2
    assert {(e.height, e.width) for e in dataset.train.records} == {(700, 1024)}
