"""KolektorSDD2: 3335 colour images of about 230 x 630, 356 of them defective.

    train/NNNNN.png + train/NNNNN_GT.png      246 defective, 2085 normal
    test/NNNNN.png + test/NNNNN_GT.png        110 defective, 894 normal

An image is defective where its mask marks anything, so that listing the set reads all masks (several seconds).
Source: Bozic et al., Mixed supervision for surface-defect detection, Computers in Industry, 2021.
"""

from collections.abc import Iterator
from pathlib import Path

from data_pipeline.folders import images_in, pairs, wrong
from data_pipeline.images import read_mask
from data_pipeline.record import Record


def records(root: Path) -> Iterator[Record]:
    """The records of the set with its own split; root holds train and test."""
    for part in ("train", "test"):
        images_in(root / part, "images NNNNN.png with masks NNNNN_GT.png")
        for path, mask in pairs(root / part, "_GT"):
            if mask is None:
                wrong(root / part, f"the mask {path.stem}_GT.png of {path.name} (all black where there is no defect)")
            label = int(read_mask(mask).any())
            yield Record(f"{part}/{path.stem}", path, mask, label, "defect" if label else "good", "product", part)
