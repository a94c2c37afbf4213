"""The same test images under every setting of a sweep, small enough to travel by the hundred in one page.

Of each setting the finished run of the first seed is shown. Maps float [H, W] are divided by the pixel threshold of
their run, where it has one, since settings may score in units of their own; those of one image share one scale over
all settings, so that equal colours mean equal values. Scales differ between images.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from launch.page.images import data_uri, extent, mask_uri, read_arrays, read_index, shared_scale
from launch.page.render import is_number

LOOKED_AT = ("images", "kind", "unseen")  # Axes that say what was looked at, and not how a run was set.
COMPARED = ("image", "map", "mask", "truth")  # what is shown of an image
AREA, LONGEST = 256 * 256, 1024  # pixels of an image as shown; strips may be longer than squares
THUMBNAILS = 360  # at about 20 kB each, which a page of 10 MB can hold
QUALITY = {"image": 85, "map": 70}


def side_by_side(results: dict[str, Any], folder: Path) -> tuple[list[dict], list[dict], list[str]]:
    """The settings, the images to compare under them, and notes on what is left out or lost.

    A setting is {"label", "set", "run"}; `set` is its value of an axis "images", "" without one. An image is {"id",
    "set", "width", "height", "low", "high", "image", "truth", "thumbnails"}, with a thumbnail {"map", "mask"} for
    the place of each setting that has one; low, high, truth, map and mask may be None.
    """
    settings = settings_of(results)
    stored: dict[tuple[str, str], dict[int, Path]] = {}
    notes = []
    for place, setting in enumerate(settings):
        home = folder / "runs" / (setting["run"] or "") / "images"
        try:
            for file, id in read_index(home).items() if setting["run"] else ():
                stored.setdefault((setting["set"], id), {})[place] = home / file
        except ValueError as error:
            notes.append(str(error))
    chosen = choose(stored, len(settings))
    images = [compare(id, which, stored[which, id], notes) for which, id in chosen]
    if len(chosen) < len(stored):
        notes.append(f"Side by side, {len(chosen)} of {len(stored)} stored images are shown, to keep this page small.")
    return settings, [image for image in images if image], notes


def settings_of(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Every setting once, whatever kinds of defect it is measured on, with its finished run of the earliest seed."""
    order = {seed: place for place, seed in enumerate(results["seeds"])}
    rows = sorted(results["rows"], key=lambda row: order.get(row["seed"], len(order)))
    finished = [row for row in rows if row["status"] == "finished"]
    without = lambda at: {name: value for name, value in at.items() if name != "kind"}
    varied = [axis["name"] for axis in results["axes"] if len(axis["values"]) > 1]
    names = [name for name in varied if name not in LOOKED_AT]
    settings = []
    for at in [without(cell["at"]) for cell in results["cells"]]:
        label = ", ".join(f"{name} {at[name]}" for name in names if name in at) or "one setting"
        run = next((row["name"] for row in finished if without(row["at"]) == at), None)
        setting = {"label": label, "set": at.get("images", ""), "run": run}
        settings += [] if setting in settings else [setting]
    return settings


def choose(stored: dict[tuple[str, str], dict[int, Path]], settings: int) -> list[tuple[str, str]]:
    """As many images of every set as THUMBNAILS allows, at least one, in stored order."""
    sets = {which: [key for key in stored if key[0] == which] for which, _ in stored}
    count = max(1, THUMBNAILS // max(1, settings))
    return [key for keys in sets.values() for key in keys[:count]]


def compare(id: str, which: str, files: dict[int, Path], notes: list[str]) -> dict[str, Any] | None:
    """One image under all settings that stored it; None, with notes, where no file can be read."""
    shown: dict[int, dict[str, np.ndarray]] = {}
    for place, path in files.items():
        try:
            arrays = read_arrays(path)
            shown[place] = {name: shrink(name, arrays[name]) for name in COMPARED if name in arrays}
            if "map" in shown[place]:
                shown[place]["map"] = shown[place]["map"] / threshold_of(path.parent.parent)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            reason = "the file is missing" if isinstance(error, FileNotFoundError) else error
            notes.append(f"{'/'.join(path.parts[-3:])} is not shown: {reason}")
    if not shown:
        return None
    first = next(iter(shown.values()))
    truth = next((arrays["truth"] for arrays in shown.values() if "truth" in arrays), None)
    extents = [extent(arrays["map"]) for arrays in shown.values() if "map" in arrays]
    scale = shared_scale(extents) if extents else None
    thumbnails = {
        place: {
            "map": data_uri(scale.quantise(arrays["map"]), quality=QUALITY["map"]) if "map" in arrays else None,
            "mask": mask_uri(arrays["mask"]) if "mask" in arrays else None,
        }
        for place, arrays in shown.items()
    }
    return {
        "id": id, "set": which, "width": first["image"].shape[1], "height": first["image"].shape[0],
        "low": scale and scale.low, "high": scale and scale.high, "thumbnails": thumbnails,
        "image": data_uri(first["image"], quality=QUALITY["image"]),
        "truth": None if truth is None else mask_uri(truth),
    }  # fmt: skip


def threshold_of(run: Path) -> float:
    """The pixel threshold of a run; 1 where it has none, as with one of its own for every image."""
    try:
        value = json.loads((run / "result.json").read_text(encoding="utf-8"))["thresholds"]["pixel"]["value"]
    except (OSError, ValueError, KeyError, TypeError):
        return 1.0
    return value if is_number(value) and value > 0 else 1.0


def shrink(name: str, values: np.ndarray) -> np.ndarray:
    """An array [H, W] or [H, W, C] at the size it is shown at, never larger than it is."""
    height, width = values.shape[:2]
    factor = min(1.0, (AREA / (height * width)) ** 0.5, LONGEST / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    if name in ("mask", "truth"):
        # A scratch of one pixel is no half of the pixels it falls into, and must stay visible.
        covered = Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BOX)
        return np.asarray(covered) > 0
    if values.ndim == 2:
        return np.asarray(Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BOX))
    flat = values[..., 0] if values.shape[-1] == 1 else values
    small = np.asarray(Image.fromarray(flat).resize(size, Image.Resampling.BOX))
    return small.reshape(*small.shape[:2], -1)
