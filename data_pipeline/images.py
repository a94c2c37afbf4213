"""Image files to arrays: every kind of file an inspection camera or a dataset leaves behind, or an error that says
why not.

Images are uint8 [H, W, C] in 0-255 with C = 1 (grey) or 3 (RGB), masks uint8 [H, W] in {0, 1}. Conversions:

- 16-bit grey is divided by 257, so its whole range 0-65535 becomes 0-255 (a 12-bit camera's values in a 16-bit file
  come out dark: rescale such files first); 16-bit colour keeps the high byte.
- Palette and CMYK images become RGB (CMYK without colour profile), 1-bit images become 0 and 255.
- An image with transparency is laid on black.
- Only the first frame of a multi-frame file is read; an EXIF rotation is not applied, because masks carry none.

Images of more pixels than Pillow's limit (`PIL.Image.MAX_IMAGE_PIXELS`, 89 million) are refused before they are
decoded.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp"})
MASK_THRESHOLD = 127
TINGE, COLOURED = 24, 0.01  # between the channels of a pixel, of 255; share of the pixels beyond it
WIDE = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes for more than 8 bits of grey.


def is_image(path: Path) -> bool:
    """Whether the file is named like an image and not hidden; its content is not looked at."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def listed(folder: Path) -> list[Path]:
    """The image files of a folder in the order of their names; [] where there is no such folder."""
    return sorted(path for path in folder.iterdir() if is_image(path)) if folder.is_dir() else []


def header(path: Path) -> tuple[int, int, str]:
    """Height, width and Pillow mode of an image, read without decoding it. Errors as in `read_image`."""
    with _opened(path) as image:
        return image.height, image.width, image.mode


def read_image(path: Path, *, channels: int | None = None) -> np.ndarray:
    """The image in a file as uint8 [H, W, C], converted as the module says.

    channels None keeps grey grey (C = 1) and colour RGB (C = 3); 1 takes the luma, 3 repeats grey. Raises
    FileNotFoundError for a missing file, ValueError for an empty, truncated, foreign, floating-point or giant one.
    """
    return to_channels(_whole(_decoded(path), path), channels)


def read_mask(path: Path) -> np.ndarray:
    """The defect mask in a file as uint8 [H, W], 1 where the defect is.

    A mask of two values, one of them 0, is taken as it is written (0/1, 0/255, 1-bit, two palette colours). A mask with
    more values has smoothed edges and is thresholded at 127 of 255. Errors are those of `read_image`, and ValueError
    for a mask that has several values but none above the threshold (numbered classes, most likely).
    """
    image = _decoded(path)
    if image.mode in WIDE:
        grey = np.asarray(image).astype(np.int64)
        threshold = MASK_THRESHOLD * 257
    else:
        grey = _whole(image, path)
        grey = to_channels(grey, 1)[..., 0]
        threshold = MASK_THRESHOLD
    values = np.unique(grey)
    if values[-1] <= 1 or (len(values) == 2 and values[0] == 0):
        return (grey > 0).astype(np.uint8)
    if values[-1] <= threshold:
        shown = ", ".join(str(value) for value in values[:5])
        raise ValueError(
            f"{path}: a mask with the values {shown}{', ...' if len(values) > 5 else ''} and none above {threshold} "
            "cannot be told into defect and background; write the defect as 255 and the rest as 0"
        )
    return (grey > threshold).astype(np.uint8)


def to_channels(image: np.ndarray, channels: int | None) -> np.ndarray:
    """image uint8 [H, W, 1 or 3] with the given number of channels: grey is the ITU-R 601 luma of RGB; None changes
    nothing.
    """
    if channels not in (None, 1, 3):
        raise ValueError(f"channels={channels!r}; use 1 for grey or 3 for RGB")
    if channels is None or image.shape[-1] == channels:
        return image
    if channels == 1:
        return np.asarray(Image.fromarray(image).convert("L"))[..., None]
    return np.repeat(image, 3, axis=-1)


def is_coloured(image: np.ndarray) -> bool:
    """Whether an image uint8 [H, W, C] has colours that grey would lose: more than the specks that JPEG leaves."""
    return image.shape[-1] == 3 and float((np.ptp(image, -1) > TINGE).mean()) > COLOURED


def target_size(height: int, width: int, *, scale: float = 1.0, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """Height and width after resizing: size=(height, width) where given, else both times scale, rounded, at least 1."""
    if size is not None:
        return int(size[0]), int(size[1])
    return max(1, round(height * scale)), max(1, round(width * scale))


def resize_image(image: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """image uint8 [H, W, C] resized bilinearly; shrinking averages over the whole area that becomes a pixel
    (antialiased).
    """
    if image.shape[:2] == (height, width):
        return image
    squeezed = image[..., 0] if image.shape[-1] == 1 else image
    resized = Image.fromarray(squeezed).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized).reshape(height, width, image.shape[-1])


def resize_mask(mask: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """mask uint8 [H, W] in {0, 1} resized: a pixel is defect where at least half of the area it covers was."""
    if mask.shape == (height, width):
        return mask
    share = Image.fromarray(mask.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    return (np.asarray(share) >= 0.5 - 1e-6).astype(np.uint8)


def png(image: np.ndarray) -> bytes:
    """image uint8 [H, W, 1 to 4] as a PNG file; level 1 is several times faster than the default and little larger."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG", compress_level=1)
    return file.getvalue()


def from_png(content: bytes) -> np.ndarray:
    """What `png` was given."""
    image = np.array(Image.open(io.BytesIO(content)))
    return image[..., None] if image.ndim == 2 else image


def _opened(path: Path) -> Image.Image:
    """The file opened, not decoded; refused where it cannot be an image we read."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such image file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty (0 bytes); copy it again from its source")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: {error}; cut the image into tiles first") from error
    except PermissionError as error:
        raise PermissionError(f"{path}: this user may not read the file; change its permissions") from error
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"{path}: not an image ({type(error).__name__}); convert it to PNG") from error
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        image.close()
        raise ValueError(
            f"{path}: {image.width} x {image.height} pixels are more than the limit of {limit}; "
            "cut the image into tiles first"
        )
    return image


def _decoded(path: Path) -> Image.Image:
    image = _opened(path)
    try:
        with image:
            image.load()
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: the image is damaged ({error}); copy it again from its source") from error
    return image


def _whole(image: Image.Image, path: Path) -> np.ndarray:
    """The decoded image as uint8 [H, W, 1 or 3]."""
    if image.mode in WIDE:
        wide = np.asarray(image).astype(np.int64)
        if wide.min() < 0 or wide.max() > 65535:
            raise ValueError(
                f"{path}: values {wide.min()} to {wide.max()} exceed 16 bits; save it as 8-bit or 16-bit grey"
            )
        return ((wide + 128) // 257).astype(np.uint8)[..., None]
    if image.mode == "F":
        raise ValueError(f"{path}: floating-point pixels have no fixed range; save it as 8-bit or 16-bit grey")
    if image.has_transparency_data:
        solid = image.convert("RGBA")
        grey = image.mode in ("LA", "La", "L", "1")
        image = Image.alpha_composite(Image.new("RGBA", solid.size, (0, 0, 0, 255)), solid)
        image = image.convert("L" if grey else "RGB")
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L"))[..., None]
    return np.asarray(image.convert("RGB"))
