"""Files of images of every kind, and damages to them, made up for the tests."""

import io

import numpy as np
from PIL import Image

READ = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "PPM")
FOREIGN = ("GIF", "ICO", "DDS", "TGA", "SGI", "PCX", "EPS", "JPEG2000", "AVIF", "ICNS", "IM", "MSP", "SPIDER", "PDF")
MODES = {"PNG": ("L", "RGB", "RGBA", "P", "1", "I;16"), "JPEG": ("L", "RGB", "CMYK"), "BMP": ("L", "RGB", "1"),
         "TIFF": ("L", "RGB", "RGBA", "P", "1", "I;16", "CMYK", "F", "LAB"), "WEBP": ("RGB", "RGBA"),
         "PPM": ("L", "RGB", "1"), "MSP": ("1",), "SPIDER": ("F",)}  # fmt: skip
SAVINGS = {"TIFF": ({}, {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}, {"compression": "jpeg"})}
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n%%EOF\n"


def whole(formats=READ) -> dict[str, bytes]:
    """A small file of each format, mode and compression that Pillow can write here."""
    grey = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 40), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    made = {}
    for kind in formats:
        for mode in MODES.get(kind, ("RGB",)):
            for how in SAVINGS.get(kind, ({},)):
                file, more = io.BytesIO(), {"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}
                image = Image.new("LAB", grey.size, (3, 4, 5)) if mode == "LAB" else grey.convert(mode)
                try:
                    image.save(file, kind, **how, **more)
                except (OSError, ValueError, KeyError):  # No such compression of this mode, or not built in.
                    continue
                made[f"{kind} {mode} {how.get('compression', '')}".strip()] = file.getvalue()
    return made


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A file with some bytes changed, cut off, doubled, taken out, or set to the ends of a range."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        # Half of the damages go to the head, where sizes and kinds are told.
        place = int(rng.integers(min(len(data), 64) if rng.random() < 0.5 else len(data))) if data else 0
        length = int(rng.integers(1, 9))
        way = rng.integers(6)
        if way == 0:
            data[place : place + length] = rng.bytes(length)
        elif way == 1:
            data[place : place + length] = (b"\x00", b"\xff", b"\x7f", b"\x80")[rng.integers(4)] * length
        elif way == 2:
            data[place : place + 1] = bytes([data[place] ^ 1 << int(rng.integers(8))]) if data else b""
        elif way == 3:
            del data[place:]
        elif way == 4:
            del data[place : place + length]
        else:
            data[place:place] = data[place : place + 8 * length]
    return bytes(data)
