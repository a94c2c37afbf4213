"""The same test images under every setting of a sweep, small enough to travel by the hundred in one page.

Of each setting the finished run of the first seed is shown. Settings may score in units of their own, and one may
reach 10^12 where another ends at 1: a map float [H, W] is shown from its lowest value (0) by way of the pixel threshold
of its run (1) to CAP times as far, above which colours no longer differ. So equal colours mean equally far beyond the
threshold. Maps of runs without a threshold share a scale of their own, image by image.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from launch.page.images import Scale, data_uri, extent, mask_uri, read_arrays, read_index, shared_scale
from launch.page.render import is_number

LOOKED_AT = ("images", "kind", "unseen")  # Axes that say what was looked at, and not how a run was set.
BY_NAME = ("run", "detector")  # axes whose values need no name before them
COMPARED = ("image", "map", "mask", "truth")  # what is shown of an image
AREA, LONGEST = 256 * 256, 1024  # pixels of an image as shown; strips may be longer than squares
THUMBNAILS = 360  # at about 20 kB each, which a page of 10 MB can hold
QUALITY = {"image": 85, "map": 70}
SAME = 6.0  # of 255 grey levels, on average: from colour to grey there is more than one way
CAP = 3.0  # times as far from the lowest value of a map as the threshold is


def side_by_side(results: dict[str, Any], folder: Path) -> tuple[list[dict], list[dict], list[str]]:
    """The settings, the images to compare under them, and notes on what is left out or lost.

    A setting is {"label", "set", "run"}; `set` is its value of an axis "images", "" without one. An image is {"id",
    "set", "width", "height", "low", "high", "threshold", "image", "truth", "thumbnails"}, with a thumbnail {"map",
    "mask"} for the place of each setting that has one; low, high, threshold, truth, map and mask may be None.
    """
    settings = settings_of(results)
    stored: dict[tuple[str, str], dict[int, Path]] = {}
    notes = []
    for place, setting in enumerate(settings):
        home = home_of(folder, setting["run"]) / "images" if setting["run"] else None
        try:
            for file, id in read_index(home).items() if home else ():
                stored.setdefault((setting["set"], id), {})[place] = home / file
        except ValueError as error:
            notes.append(str(error))
    chosen = choose(stored, len(settings))
    settings = [setting | {"run": setting["run"] and setting["run"]["name"]} for setting in settings]
    images = [compare(id, which, stored[which, id], notes) for which, id in chosen]
    if len(chosen) < len(stored):
        notes.append(f"Side by side, {len(chosen)} of {len(stored)} stored images are shown, to keep this page small.")
    return settings, [image for image in images if image], notes


def settings_of(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Every setting once, whatever kinds of defect it is measured on, with the row of its earliest finished seed."""
    order = {seed: place for place, seed in enumerate(results["seeds"])}
    rows = sorted(results["rows"], key=lambda row: order.get(row["seed"], len(order)))
    finished = [row for row in rows if row["status"] == "finished"]
    without = lambda at: {name: value for name, value in at.items() if name != "kind"}
    varied = [axis["name"] for axis in results["axes"] if len(axis["values"]) > 1]
    names = [name for name in varied if name not in LOOKED_AT]
    settings = []
    for at in [without(cell["at"]) for cell in results["cells"]]:
        run = next((row for row in finished if without(row["at"]) == at), None)
        setting = {"label": label(at, names), "set": at.get("images", ""), "run": run}
        settings += [] if setting in settings else [setting]
    return settings


def label(at: dict[str, str], names: list[str]) -> str:
    """A setting in words, on the named axes: "alpha 0.15, images irregular"; runs and detectors go by their names."""
    said = lambda name: at[name] if name in BY_NAME else f"{name} {at[name]}"
    return ", ".join(said(name) for name in names if name in at) or "one setting"


def home_of(folder: Path, row: dict[str, Any]) -> Path:
    """The folder of a run: as its row says, or where a sweep keeps it."""
    return Path(row["folder"]) if "folder" in row else folder / "runs" / row["name"]


def choose(stored: dict[tuple[str, str], dict[int, Path]], settings: int) -> list[tuple[str, str]]:
    """As many images of every set as THUMBNAILS allows, at least one; those that most settings stored first."""
    ordered = sorted(stored, key=lambda key: -len(stored[key]))
    sets = {which: [key for key in ordered if key[0] == which] for which, _ in stored}
    count = max(1, THUMBNAILS // max(1, settings))
    return [key for keys in sets.values() for key in keys[:count]]


def compare(id: str, which: str, files: dict[int, Path], notes: list[str]) -> dict[str, Any] | None:
    """One image under all settings that stored it; None, with notes, where no file can be read."""
    shown: dict[int, dict[str, np.ndarray]] = {}
    fitted: set[int] = set()  # places of maps in units of their threshold
    for place, path in files.items():
        try:
            arrays = read_arrays(path)
            shown[place] = {name: shrink(name, arrays[name]) for name in COMPARED if name in arrays}
            if "map" in shown[place] and (level := threshold_of(path.parent.parent)) is not None:
                shown[place]["map"], fitted = in_thresholds(shown[place]["map"], level), fitted | {place}
        except ValueError as error:
            notes.append(f"{'/'.join(path.parts[-3:])} is not shown: {error}")
    if not shown:
        return None
    first = next(iter(shown.values()))
    for place in [place for place, arrays in shown.items() if not alike(arrays["image"], first["image"])]:
        notes.append(f"{'/'.join(files[place].parts[-3:])} is not shown: it is another image of the name {id}")
        del shown[place]
    truth = next((arrays["truth"] for arrays in shown.values() if "truth" in arrays), None)
    extents = [extent(arrays["map"]) for place, arrays in shown.items() if "map" in arrays and place not in fitted]
    own, common = shared_scale(extents) if extents else None, Scale(0.0, CAP) if fitted else None
    scale = common or own
    thumbnails = {
        place: {
            "map": data_uri((common if place in fitted else own).quantise(arrays["map"]), quality=QUALITY["map"])
            if "map" in arrays
            else None,
            "mask": mask_uri(arrays["mask"]) if "mask" in arrays else None,
        }
        for place, arrays in shown.items()
    }
    return {
        "id": id, "set": which, "width": first["image"].shape[1], "height": first["image"].shape[0],
        "low": scale and scale.low, "high": scale and scale.high, "threshold": common and 1.0,
        "thumbnails": thumbnails,
        "image": data_uri(first["image"], quality=QUALITY["image"]),
        "truth": None if truth is None else mask_uri(truth),
    }  # fmt: skip


def alike(image: np.ndarray, other: np.ndarray) -> bool:
    """Whether two images are the same but for colour and rounding: names alone do not tell that."""
    flat = lambda pixels: Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    grey = lambda pixels: np.asarray(flat(pixels).convert("L"), np.float32)
    return image.shape[:2] == other.shape[:2] and np.abs(grey(image) - grey(other)).mean() < SAME


def threshold_of(run: Path) -> float | None:
    """The pixel threshold of a run; None where it has none, as with one of its own for every image."""
    try:
        value = json.loads((run / "result.json").read_text(encoding="utf-8"))["thresholds"]["pixel"]["value"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return value if is_number(value) else None


def in_thresholds(values: np.ndarray, level: float) -> np.ndarray:
    """A map [H, W] with its lowest value at 0 and the threshold `level` at 1; 0 where nothing lies below the level."""
    values = values.astype(np.float64)
    low = np.min(values, where=np.isfinite(values), initial=np.inf)
    if not low < level:  # All of it is defective, or nothing is finite.
        return np.where(values > level, CAP, 0.0)
    return (values - low) / (level - low)


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
