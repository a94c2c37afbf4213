"""Reading a dataset's folder, and saying exactly what was expected where it is wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from data_pipeline.images import is_image, listed


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones left out; [] where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def images_in(folder: Path, rule: str) -> list[Path]:
    """The images of a folder, sorted by name; FileNotFoundError with what was expected (`rule`) if there are none."""
    return listed(folder) or wrong(folder, rule)


def wrong(folder: Path, rule: str) -> NoReturn:
    """Raises FileNotFoundError: what was expected at this folder, and what is there instead."""
    if not folder.exists():
        above = next(path for path in folder.parents if path.exists())
        there = f"there is no such folder ({above} holds {_contents(above)})"
    elif not folder.is_dir():
        there = "that is a file"
    else:
        there = f"found {_contents(folder)}"
    raise FileNotFoundError(f"{folder}: expected {rule}; {there}")


def pairs(folder: Path, mask_suffix: str) -> Iterator[tuple[Path, Path | None]]:
    """Images with their masks, where both lie in one folder and a mask is named as its image plus a suffix."""
    files = {path.stem: path for path in listed(folder)}
    for stem, path in files.items():
        if not stem.endswith(mask_suffix):
            yield path, files.get(stem + mask_suffix)


def _contents(folder: Path) -> str:
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    folders = [f"{path.name}/" for path in entries if path.is_dir()]
    images = sum(map(is_image, entries))
    others = [path.name for path in entries if path.is_file() and not is_image(path)]
    parts = folders[:8] + ["..."] * (len(folders) > 8) + [f"{images} images"] * (images > 0)
    return ", ".join(parts + others[:4] + ["..."] * (len(others) > 4)) or "nothing"
