"""Magnetic tile defects: ground tiles of motors, each kind of defect in its folder, image (.jpg) and mask (.png) side
by side.

    MT_Free/Imgs/*.jpg (+ empty masks)     normal
    MT_Blowhole, MT_Break, MT_Crack, MT_Fray, MT_Uneven /Imgs/*.jpg + *.png

Sizes vary from image to image; mask edges are grey. The set prescribes no split.
Source: Huang et al., Surface Defect Saliency of Magnetic Tile, The Visual Computer 2020.
"""

from collections.abc import Iterator
from pathlib import Path

from data_pipeline.folders import images_in, subfolders, wrong
from data_pipeline.record import Record


def records(root: Path, *, kinds: tuple[str, ...] | None = None) -> Iterator[Record]:
    """The records of the set; kinds keeps only these kinds of defect ("blowhole", "break", ...) beside the normal
    images.
    """
    folders = {name.removeprefix("MT_").lower(): name for name in subfolders(root) if name.startswith("MT_")}
    unknown = sorted(set(kinds or ()) - set(folders))
    if "free" not in folders or unknown:
        wrong(
            root,
            f"the folder MT_{unknown[0].capitalize()}/Imgs" if unknown else "MT_Free/Imgs and MT_Blowhole/Imgs, ...",
        )
    for kind, name in folders.items():
        if kinds is None or kind in ("free", *kinds):
            files = images_in(root / name / "Imgs", "images (.jpg) with their masks (.png)")
            masks = {path.stem: path for path in files if path.suffix.lower() == ".png"}
            for path in files:
                if path.suffix.lower() != ".png":
                    label = int(kind != "free")
                    shown = kind if label else "good"
                    yield Record(f"{name}/{path.stem}", path, masks.get(path.stem), label, shown, "magnetic tile", "")
