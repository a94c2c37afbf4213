"""Any folder in the layout of MVTec AD: normal images to train on, one test folder per kind of defect, masks beside.

    CATEGORY/train/good/*.png            normal images
    CATEGORY/test/good/*.png             normal test images (may be missing)
    CATEGORY/test/KIND/*.png             defective images, one folder per kind (may be missing)
    CATEGORY/ground_truth/KIND/*.png     their masks, named as the image, with or without "_mask"

Images and masks may have different file types. Source: Bergmann et al., MVTec AD, CVPR 2019.
"""

from collections.abc import Iterator
from pathlib import Path

from data_pipeline.folders import images_in, subfolders, wrong
from data_pipeline.images import listed
from data_pipeline.record import Record


def records(root: Path, *, category: str | None = None) -> Iterator[Record]:
    """The records of one category: root is its folder, or a folder of categories of which `category` names one."""
    folder = _category(root, category)
    for path in images_in(folder / "train" / "good", "normal images to train on"):
        yield Record(f"train/good/{path.stem}", path, None, 0, "good", folder.name, "train")
    for kind in subfolders(folder / "test"):
        masks = {} if kind == "good" else {mask.stem: mask for mask in listed(folder / "ground_truth" / kind)}
        for path in listed(folder / "test" / kind):
            mask = masks.get(f"{path.stem}_mask", masks.get(path.stem))
            yield Record(f"test/{kind}/{path.stem}", path, mask, int(kind != "good"), kind, folder.name, "test")


def _category(root: Path, category: str | None) -> Path:
    if (root / "train").is_dir() and category in (None, root.name):
        return root
    categories = [name for name in subfolders(root) if (root / name / "train").is_dir()]
    if category is None and len(categories) == 1:
        return root / categories[0]
    if category in categories:
        return root / category
    choice = f"; give the folder of one of {', '.join(categories)}, or its name" if categories else ""
    choice += f" by data.options.category={categories[0]}" if categories else ""
    wrong(root, f"the folder train/good{f' of category {category}' if category else ''}{choice}")
