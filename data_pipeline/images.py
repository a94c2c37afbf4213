"""Image files to arrays: every kind of file an inspection camera or a dataset leaves behind, or an error that says
why not.

Images are uint8 [H, W, C] in 0-255 with C = 1 (grey) or 3 (RGB), masks uint8 [H, W] in {0, 1}. Conversions:

- 16-bit grey is divided by 257, so its whole range 0-65535 becomes 0-255 (a 12-bit camera's values in a 16-bit file
  come out dark: rescale such files first); 16-bit colour keeps the high byte.
- Palette and CMYK images become RGB (CMYK without colour profile), 1-bit images become 0 and 255.
- An image with transparency is laid on black.
- An image is turned upright as its EXIF rotation says, as every viewer does; so is a mask that has one. A mask is drawn
  on the upright image.
- Only the first frame of a multi-frame file is read.

What a file is, its content decides: it is shown to no other decoder than those of `DECODERS`, whatever it is called.
Images of more pixels than Pillow's limit (`PIL.Image.MAX_IMAGE_PIXELS`, 89 million) are refused before they are
decoded.
"""

import contextlib
import io
import logging
import os
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

DECODERS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "PPM")  # PPM is grey (PGM), too
KINDS = "PNG, JPEG, TIFF, BMP, WebP, PGM, PPM"  # what people call them
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp"})
OTHER_SUFFIXES = frozenset({  # images that are not read
    ".gif", ".jfif", ".jpe", ".avif", ".heic", ".heif", ".jp2", ".j2k", ".jxl", ".pbm", ".pnm", ".pfm", ".dib", ".ico",
    ".tga", ".exr", ".hdr", ".psd", ".svg", ".eps", ".dng", ".raw", ".nef", ".cr2", ".arw",
})  # fmt: skip
MASK_THRESHOLD = 127
TINGE, COLOURED = 24, 0.01  # between the channels of a pixel, of 255; share of the pixels beyond it
WIDE = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes for more than 8 bits of grey.
PIXEL_BYTES = 8  # of the widest pixel there is, RGBA of 16 bits: no file of an image is larger than all of its pixels
ORIENTATION, SIDEWAYS = 0x0112, 5  # the EXIF tag of a rotation; from this value on height and width change places
UPRIGHT = dict(zip(range(2, 9), (
    Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90,
), strict=True))  # fmt: skip

# What Pillow remarks on names no file. Here and not around each call: `catch_warnings` is not made for threads.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
logging.getLogger("PIL").setLevel(logging.CRITICAL)


class About(NamedTuple):
    """What is known of an image without converting it: Pillow's mode, how many frames, whether it has to be turned."""

    mode: str
    frames: int
    turned: bool


class _Refused(Exception):
    """What is wrong with an image; what to do."""


def is_image(path: Path) -> bool:
    """Whether the file is named like an image and not hidden; its content is not looked at."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def listed(folder: Path) -> list[Path]:
    """The image files of a folder in the order of their names; [] where there is no such folder."""
    return sorted(path for path in folder.iterdir() if is_image(path)) if folder.is_dir() else []


def upright_size(path: Path) -> tuple[int, int]:
    """Height and width of an image as `read_image` gives it, judged by its header. Errors as there."""
    with _opened(path) as image:
        sideways = image.format != "TIFF" and _orientation(image) >= SIDEWAYS
        return (image.width, image.height) if sideways else (image.height, image.width)


def about(path: Path) -> About:
    """What `read_image` makes no difference of. Errors as there."""
    with _opened(path) as image:
        mode, turned = image.mode, _orientation(image) in UPRIGHT
        try:
            return About(mode, getattr(image, "n_frames", 1), turned)
        except Exception:  # In what follows the first frame, which is all that is read.
            return About(mode, 1, turned)


def read_image(path: Path, *, channels: int | None = None) -> np.ndarray:
    """The image in a file as uint8 [H, W, C], converted as the module says.

    channels None keeps grey grey (C = 1) and colour RGB (C = 3); 1 takes the luma, 3 repeats grey. Raises
    FileNotFoundError for a missing file, PermissionError for one this user may not read, ValueError for an empty,
    damaged, foreign, floating-point or giant one: each names the file and what to do.
    """
    with _opened(path) as image:
        return to_channels(_whole(_upright(image)), channels)


def read_mask(path: Path) -> np.ndarray:
    """The defect mask in a file as uint8 [H, W], 1 where the defect is.

    A mask of two values, one of them 0, is taken as it is written (0/1, 0/255, 1-bit, two palette colours). A mask with
    more values has smoothed edges and is thresholded at 127 of 255. Errors are those of `read_image`, and ValueError
    for a mask that has several values but none above the threshold (numbered classes, most likely).
    """
    with _opened(path) as image:
        image = _upright(image)
        wide = image.mode in WIDE
        grey = np.asarray(image) if wide else to_channels(_whole(image), 1)[..., 0]
        threshold = MASK_THRESHOLD * 257 if wide else MASK_THRESHOLD
        values = np.unique(grey)
        if values[-1] <= 1 or (len(values) == 2 and values[0] == 0):
            return (grey > 0).astype(np.uint8)
        if values[-1] <= threshold:
            shown = ", ".join(str(value) for value in values[:5])
            raise _Refused(
                f"a mask with the values {shown}{', ...' if len(values) > 5 else ''} and none above {threshold} cannot "
                "be told into defect and background; write the defect as 255 and the rest as 0"
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
    """Height and width after resizing: size=(height, width) where given, else both times scale, rounded, at least 1.

    Raises ValueError for more pixels than an image may have.
    """
    tall, wide = map(int, size) if size is not None else (max(1, round(side * scale)) for side in (height, width))
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and tall * wide > limit:
        field = "data.size" if size is not None else "data.scale"
        raise ValueError(f"images of {tall} x {wide} pixels, {tall * wide / 1e9:.1f} GB a channel, are larger than the "
                         f"limit of {limit} pixels; give a smaller {field}")  # fmt: skip
    return tall, wide


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


def png(image: np.ndarray, *, palette: np.ndarray | None = None) -> bytes:
    """image uint8 [H, W, 1 to 4] as a PNG file.

    Level 1 is several times faster than the default and little larger; of one channel, whose repetitions are seldom
    longer than runs, run lengths take half of its time and about its space.
    palette: uint8 [256, 3], the colours of the values of an image [H, W, 1].
    """
    file, grey = io.BytesIO(), image.shape[-1] == 1
    drawn = Image.fromarray(image[..., 0] if grey else image)
    if palette is not None:
        drawn.putpalette(palette.tobytes())
    drawn.save(file, "PNG", compress_level=1, compress_type=zlib.Z_RLE if grey else zlib.Z_DEFAULT_STRATEGY)
    return file.getvalue()


def from_png(content: bytes) -> np.ndarray:
    """What `png` was given."""
    image = np.array(Image.open(io.BytesIO(content), formats=["PNG"]))
    return image[..., None] if image.ndim == 2 else image


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image of a file, of a size that may be decoded. Whatever is raised while it is open names the file."""
    try:
        if not Path(path).is_file():  # A pipe would be waited for.
            raise FileNotFoundError
        with open(path, "rb") as file:
            _check_bytes(os.fstat(file.fileno()).st_size)
            with Image.open(file, formats=DECODERS) as image:
                _check_pixels(image.width, image.height)
                yield image
    except PermissionError as error:
        raise PermissionError(f"{path}: this user may not read the file; change its permissions") from error
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: no such image file; correct the path") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: not an image of a kind that is read ({KINDS}); convert it to PNG") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: it holds more than the limit of {Image.MAX_IMAGE_PIXELS} pixels; cut the image into "
                         "tiles first") from error  # fmt: skip
    except MemoryError as error:
        raise ValueError(f"{path}: decoding it takes more memory than there is; cut the image into tiles") from error
    except _Refused as refused:
        raise ValueError(f"{path}: {refused}") from None
    except Exception as error:  # Decoders raise anything: IndexError, struct.error, AssertionError, ...
        why = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: the image is damaged ({why}); copy it again from its source, or save it anew as "
                         "PNG") from error  # fmt: skip


def _check_bytes(size: int) -> None:
    """Refuses a file that some decoder would read whole before its size in pixels is known."""
    if size == 0:
        raise _Refused("the file is empty (0 bytes); copy it again from its source")
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and size > max(limit * PIXEL_BYTES, 2**20):
        raise _Refused(f"{size} bytes are more than an image of {limit} pixels takes; cut the image into tiles first")


def _check_pixels(width: int, height: int) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and width * height > limit:
        raise _Refused(f"{width} x {height} pixels are more than the limit of {limit}; cut the image into tiles first")


def _orientation(image: Image.Image) -> int:
    """The EXIF rotation, 1 for none. One that cannot be read is none."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except (MemoryError, OSError):  # Of a PNG all of it is read for its EXIF.
        raise
    except Exception:
        return 1


def _upright(image: Image.Image) -> Image.Image:
    """The image decoded, and turned. Pillow turns a TIFF by itself."""
    image.load()
    turn = None if image.format == "TIFF" else UPRIGHT.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _whole(image: Image.Image) -> np.ndarray:
    """The decoded image as uint8 [H, W, 1 or 3]."""
    if image.mode in WIDE:
        wide = np.asarray(image)
        if wide.min() < 0 or wide.max() > 65535:
            raise _Refused(f"values {wide.min()} to {wide.max()} exceed 16 bits; save it as 8-bit or 16-bit grey")
        wide = wide.astype(np.uint32)
        wide += 128
        wide //= 257
        return wide.astype(np.uint8)[..., None]
    if image.mode == "F":
        raise _Refused("floating-point pixels have no fixed range; save it as 8-bit or 16-bit grey")
    if image.has_transparency_data:
        solid = image.convert("RGBA")
        grey = image.mode in ("LA", "La", "L", "1")
        image = Image.alpha_composite(Image.new("RGBA", solid.size, (0, 0, 0, 255)), solid)
        image = image.convert("L" if grey else "RGB")
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L"))[..., None]
    return np.asarray(image.convert("RGB"))
