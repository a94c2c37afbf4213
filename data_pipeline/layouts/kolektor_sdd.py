"""KolektorSDD: 50 commutators, eight images of each, about 500 x 1250 grey; 52 of 399 are defective.

    kosNN/PartP.jpg + kosNN/PartP_label.bmp

An image is defective where its mask marks anything, so that listing the set reads all masks (about 2 s). The three
folds are split by commutator, as published with the set. Source: Tabernik et al., Segmentation-based deep-learning
approach for surface-defect detection, Journal of Intelligent Manufacturing, 2020; folds: Bozic et al., Computers in
Industry, 2021.
"""

from collections.abc import Iterator
from pathlib import Path

from data_pipeline.folders import pairs, subfolders, wrong
from data_pipeline.images import read_mask
from data_pipeline.record import Record

TEST_FOLDS = (
    frozenset({2, 8, 9, 10, 15, 19, 21, 25, 27, 28, 30, 37, 38, 41, 43, 46, 47}),
    frozenset({1, 3, 4, 6, 11, 17, 22, 24, 29, 31, 32, 36, 39, 40, 42, 44, 48}),
)  # The third is the rest.
EXCLUDED = "kos21/Part7"  # By the published splits.


def records(root: Path, *, fold: int = 0) -> Iterator[Record]:
    """The records of the set; the commutators of fold 0, 1 or 2 are the test part, all others the training part."""
    if fold not in (0, 1, 2):
        raise ValueError(f"fold={fold!r}; the published splits have the folds 0, 1 and 2")
    items = [name for name in subfolders(root) if name.startswith("kos") and name[3:].isdigit()]
    if not items:
        wrong(root, "the folders kos01 to kos50 with PartP.jpg and PartP_label.bmp")
    for item in items:
        number = int(item[3:])
        tested = number in TEST_FOLDS[fold] if fold < 2 else not any(number in other for other in TEST_FOLDS)
        for path, mask in pairs(root / item, "_label"):
            name = f"{item}/{path.stem}"
            if mask is None:
                wrong(
                    root / item, f"the mask {path.stem}_label.bmp of {path.name} (all black where there is no defect)"
                )
            if name != EXCLUDED:
                label = int(read_mask(mask).any())
                kind = "defect" if label else "good"
                yield Record(name, path, mask, label, kind, "commutator", "test" if tested else "train")
