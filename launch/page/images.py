"""The images of a run, encoded to travel inside one HTML file.

Images are uint8 [H, W, C] (C = 1 or 3), maps and residuals float [H, W], masks uint8 [H, W] in {0, 1}; a higher
value is worse. Every map of a run is quantised to 8 bits on ONE scale, so that equal colours mean equal values in
all images; colours are given in the browser. Residuals share a scale of their own and are shown in grey.
"""

import base64
import io
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

WEBP_LIMIT = 16383  # pixels a side
# WebP effort, 0 to 6: on fabric strips 6 saves 4 % over 2 and takes two and a half times as long.
WEBP_METHOD = 2
# A residual is mostly noise, which at quality 90 costs more bytes than the image it comes from.
QUALITY = {"input": 90, "reconstruction": 90, "residual": 50}
# numpy parses each array's header as Python; two threads at it can end in "AST constructor recursion depth mismatch".
READING = threading.Lock()
COLOURED = ("image", "reconstruction")  # arrays [H, W, C]; the others are [H, W]
LOSSLESS_EFFORT = 75  # 0 to 100: a fifth smaller than 0 at twice the time; 100 takes another ten times as long.


class Scale(NamedTuple):
    """What black (low) and the brightest colour (high) stand for; values outside are clipped."""

    low: float
    high: float

    def quantise(self, values: np.ndarray) -> np.ndarray:
        """Values [H, W] -> uint8 [H, W]: low is 0, high is 255; NaN counts as low."""
        values = np.nan_to_num(values.astype(np.float32), nan=self.low, posinf=self.high, neginf=self.low)
        return np.round(np.clip((values - self.low) / (self.high - self.low), 0, 1) * 255).astype(np.uint8)


class ShownImage(NamedTuple):
    """One shown image; views are (name, title, data URI), in the order of the page."""

    id: str
    height: int
    width: int
    views: list[tuple[str, str, str]]
    boxes: list[list[float]] = []  # found: top, left, bottom, right in pixels, and a score

    @property
    def shape(self) -> str:
        """How the views are laid out: strips below each other, tall images side by side, the rest in a grid."""
        ratio = self.width / self.height
        return "wide" if ratio > 4 else "tall" if ratio < 0.8 else "even"

    @property
    def outlined(self) -> bool:
        """Whether there is a mask to outline over the input."""
        return bool(outlined([self]))

    @property
    def columns(self) -> int:
        """Of the grid: the first view, the outlines where there are any, spans two columns and two rows."""
        rest = len(self.views) - (not self.outlined)
        return 2 + max(2, (rest + 1) // 2)


def outlined(images: list[ShownImage]) -> list[str]:
    """Which outlines are drawn in any of the images: truth, predicted, boxes."""
    drawn = {view[0] for image in images for view in image.views}
    drawn |= {"boxes" for image in images if image.boxes}
    return [name for name in ("truth", "predicted", "boxes") if name in drawn]


def extent(values: np.ndarray) -> tuple[float, float] | None:
    """Smallest value and 99.9 % quantile (single hot pixels must not darken the rest); None if nothing is finite."""
    values = values[np.isfinite(values)].astype(np.float32)
    return (float(values.min()), float(np.quantile(values, 0.999))) if values.size else None


def shared_scale(extents: list[tuple[float, float] | None], *, threshold: float | None = None) -> Scale:
    """The one scale of all maps of a run, from the extents of its images.

    A pixel threshold is always on the scale and at least a quarter up: one gross defect must not hide the others.
    """
    finite = [pair for pair in extents if pair]
    low, high = (min(pair[0] for pair in finite), max(pair[1] for pair in finite)) if finite else (0.0, 1.0)
    if threshold is not None and threshold > low:
        high = min(max(high, threshold), low + 4 * (threshold - low))
    return Scale(low, high if high > low else low + 1.0)


def data_uri(pixels: np.ndarray, *, quality: int | None) -> str:
    """Pixels uint8 [H, W] or [H, W, C] as a data URI; quality None is lossless.

    WebP, or JPEG and PNG where a side is longer than WebP can say.
    """
    image = Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels)
    if max(image.size) > WEBP_LIMIT:
        settings = {"format": "PNG"} if quality is None else {"format": "JPEG", "quality": quality}
    elif quality is None:
        settings = {"format": "WEBP", "lossless": True, "quality": LOSSLESS_EFFORT, "method": WEBP_METHOD}
    else:
        settings = {"format": "WEBP", "quality": quality, "method": WEBP_METHOD}
    return as_uri(image, settings)


def mask_uri(mask: np.ndarray) -> str:
    """A mask [H, W] as a data URI: a 1-bit PNG, white where defective."""
    return as_uri(Image.fromarray(mask.astype(bool)), {"format": "PNG", "optimize": True})


def as_uri(image: Image.Image, settings: dict) -> str:
    stream = io.BytesIO()
    image.save(stream, **settings)
    return f"data:image/{settings['format'].lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of one images/NNN.npz; all but the image may be absent.

    Raises ValueError where the file is damaged, the image is missing or the arrays differ in height and width.
    """
    try:
        with READING, np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise ValueError("the file is missing") from None
    except Exception as error:  # A damaged archive raises what its damage leads to.
        raise ValueError(f"the file is damaged ({error})") from error
    if "image" not in arrays:
        raise ValueError("it has no array 'image'")
    size = arrays["image"].shape[:2]
    if "boxes" in arrays and arrays["boxes"].shape[1:] != (5,):
        raise ValueError(f"boxes has the shape {arrays['boxes'].shape}; of each box it tells 4 sides and a score")
    for name, values in arrays.items():
        if name != "boxes" and values.shape[:2] != size:
            raise ValueError(f"{name} has {values.shape[:2]} pixels and image {size}; they must agree")
        channels = values.shape[2:] if name in COLOURED else values.shape[2:] or (1,)
        if values.dtype.kind not in "buif" or (name != "boxes" and (0 in values.shape or channels not in ((1,), (3,)))):
            raise ValueError(f"{name} is {values.dtype} of the shape {values.shape}, which is no image")
        if name in COLOURED and values.dtype != np.uint8:
            raise ValueError(f"{name} is {values.dtype}; images are uint8")
    return arrays


def encode(
    id: str, arrays: dict[str, np.ndarray], *, map_scale: Scale | None, residual_scale: Scale | None
) -> ShownImage:
    """The arrays of one image as an Image; a view is left out where its array is."""
    views = []
    for name, title in (("image", "Input"), ("reconstruction", "Reconstruction")):
        if name in arrays:
            view = title.lower()
            views.append((view, title, data_uri(arrays[name], quality=QUALITY[view])))
    if "residual" in arrays and residual_scale:
        grey = residual_scale.quantise(arrays["residual"])
        views.append(("residual", "Residual", data_uri(grey, quality=QUALITY["residual"])))
    if "map" in arrays and map_scale:
        views.append(("map", "Anomaly map", data_uri(map_scale.quantise(arrays["map"]), quality=None)))
    for name, view, title in (("mask", "predicted", "Predicted mask"), ("truth", "truth", "Truth")):
        if name in arrays:
            views.append((view, title, mask_uri(arrays[name])))
    height, width = arrays["image"].shape[:2]
    return ShownImage(id, height, width, views, arrays["boxes"].tolist() if "boxes" in arrays else [])


def read_index(folder: Path) -> dict[str, str]:
    """images/index.json, [{"file": "000.npz", "id": ...}, ...], as {file: id}; empty where there is none."""
    path = folder / "index.json"
    if not path.exists():
        return {}
    try:
        index = {entry["file"]: str(entry["id"]) for entry in json.loads(path.read_text(encoding="utf-8"))}
        for file in index:
            if Path(file).name != file:
                raise ValueError(f"{file!r} is not a plain file name")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a list of {{'file': NAME, 'id': ID}} ({error!r}); delete it for a report without images"
        ) from None
    return index


def read_picture(path: Path) -> tuple[str, list[str]]:
    """(a picture of a run folder as a data URI, empty where there is none; notes on a damaged one)."""
    if not path.is_file():
        return "", []
    try:
        with Image.open(path) as picture:
            return data_uri(np.asarray(picture), quality=QUALITY["input"]), []
    except (OSError, ValueError) as error:
        return "", [f"{path.name} is not shown: {error}"]


def read_images(
    folder: Path, *, pixel_threshold: float | None, changed: Sequence[str] = ()
) -> tuple[list[ShownImage], dict[str, Scale | None], list[str]]:
    """All images of a run folder's images/, the scales they share ("map", "residual") and notes on lost ones.

    A missing or damaged file becomes a note: one lost image must not cost the page; and so does one of `changed`,
    files that are known to be no longer as they were written. Files are read twice, for the scales and for the
    encoding, as all the arrays of a run may not fit in memory. 0.5 s per megapixel on two cores.
    """
    readable, notes, extents = {}, [], {"map": [], "residual": []}
    for file, id in read_index(folder).items():
        try:
            arrays = read_arrays(folder / file)
            if f"{folder.name}/{file}" in changed:
                raise ValueError("it is damaged, or of another evaluation than the rest")
        except ValueError as error:
            notes.append(f"images/{file} is not shown: {error}")
            continue
        readable[file] = id
        for name, pairs in extents.items():
            pairs += [extent(arrays[name])] if name in arrays else []
    scales = {
        "map": shared_scale(extents["map"], threshold=pixel_threshold) if extents["map"] else None,
        "residual": shared_scale(extents["residual"]) if extents["residual"] else None,
    }

    def encode_file(item: tuple[str, str]) -> ShownImage:
        file, id = item
        return encode(id, read_arrays(folder / file), map_scale=scales["map"], residual_scale=scales["residual"])

    with ThreadPoolExecutor() as pool:  # Pillow's encoders run outside the interpreter lock.
        images = list(pool.map(encode_file, readable.items()))
    return images, scales, notes
