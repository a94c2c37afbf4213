"""DAGM 2007: ten generated textures, 512 x 512 grey, each with its own kind of defect.

    ClassN/Train/NNNN.PNG, ClassN/Test/NNNN.PNG
    ClassN/Train/Label/NNNN_label.PNG         weak ellipse masks of the defective images
    ClassN/Train/Label/Labels.txt             header line, then: number, flag, image, 0, mask (separated by tabs)

Source: Wieler and Hahn, Weakly Supervised Learning for Industrial Optical Inspection, DAGM 2007.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from data_pipeline.folders import images_in, subfolders, wrong
from data_pipeline.images import listed
from data_pipeline.record import Record


def records(root: Path, *, classes: Sequence[int] | None = None) -> Iterator[Record]:
    """The records of some classes (numbers 1 to 10) or of all found; surface and kind name the class."""
    numbers = sorted(int(name[5:]) for name in subfolders(root) if name.startswith("Class") and name[5:].isdigit())
    missing = sorted(set(classes or ()) - set(numbers))
    if not numbers or missing:
        wrong(root, f"the folder Class{missing[0]}" if missing else "the folders Class1 to Class10")
    for number in classes or numbers:
        for part in ("Train", "Test"):
            yield from _part(root / f"Class{number}" / part, f"Class{number}", part.lower())


def _part(folder: Path, surface: str, split: str) -> Iterator[Record]:
    files = images_in(folder, "images NNNN.PNG (512 x 512)")
    masks = {path.stem.removesuffix("_label"): path for path in listed(folder / "Label")}
    table = folder / "Label" / "Labels.txt"
    defective = _flagged(table) if table.is_file() else set(masks)
    for path in files:
        label = int(path.stem in defective)
        kind = f"{surface} defect" if label else "good"
        mask = masks.get(path.stem) if label else None
        yield Record(f"{surface}/{folder.name}/{path.stem}", path, mask, label, kind, surface, split)


def _flagged(table: Path) -> set[str]:
    """The stems of the images that Labels.txt calls defective."""
    flagged = set()
    for number, line in enumerate(table.read_text(encoding="utf-8", errors="replace").splitlines()[1:], start=2):
        fields = line.split()
        if fields and (len(fields) != 5 or fields[1] not in ("0", "1")):
            raise ValueError(
                f"{table}, line {number}: {line!r}; expected number, 0 or 1, image, 0, mask, separated by tabs"
            )
        if fields and fields[1] == "1":
            flagged.add(Path(fields[2]).stem)
    return flagged
