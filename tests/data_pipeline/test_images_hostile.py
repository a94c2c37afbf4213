"""Files that lie about what they are: no other decoder sees them, nothing large is made for them, one error says it."""

import io
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from data_pipeline import images
from tests.data_pipeline import fuzzing

pytestmark = pytest.mark.filterwarnings("ignore")  # of Pillow; the tests' own filters stand before those of `images`

OURS = (ValueError, FileNotFoundError, PermissionError)


def told(path, read=images.read_image) -> str:
    """What is said of a file that is refused; "" of one that is read. Anything but our one error is a failure."""
    try:
        read(path)
    except OURS as error:
        assert type(error) in OURS and str(error).startswith(f"{path}: ") and "; " in str(error), repr(error)
        assert "\n" not in str(error)
        return str(error)
    return ""


@pytest.mark.parametrize("name", fuzzing.whole(fuzzing.READ))
def test_every_kind_that_is_promised_is_read_or_refused_for_its_pixels(tmp_path, name):
    path = tmp_path / "x.png"  # Its content tells what it is.
    path.write_bytes(fuzzing.whole(fuzzing.READ)[name])
    refused = "floating-point" if name.split()[1] == "F" else ""
    assert refused in told(path) if refused else told(path) == ""


@pytest.mark.parametrize("name", [*fuzzing.whole(fuzzing.FOREIGN), "PostScript", "SVG"])
def test_no_other_kind_is_decoded_whatever_it_is_called(tmp_path, name):
    content = fuzzing.whole(fuzzing.FOREIGN) | {"PostScript": fuzzing.POSTSCRIPT, "SVG": b"<svg width='9'/>"}
    for suffix in (".png", ".tif", ".pgm"):
        path = tmp_path / f"x{suffix}"
        path.write_bytes(content[name])
        assert "not an image of a kind that is read" in told(path) and "convert it to PNG" in told(path)


def test_postscript_never_reaches_ghostscript(tmp_path, monkeypatch):
    for name in ("gs", "gswin64c"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho called >> {tmp_path}/called\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    path = tmp_path / "x.png"
    path.write_bytes(fuzzing.POSTSCRIPT)
    for read in (images.read_image, images.read_mask, images.upright_size, images.about):
        with pytest.raises(ValueError, match="not an image of a kind that is read"):
            read(path)
    assert not (tmp_path / "called").exists()
    with pytest.raises(OSError), Image.open(path) as image:  # The stand-in would have been found, and drawn nothing.
        image.load()
    assert (tmp_path / "called").exists()


@pytest.mark.parametrize("way", [images.read_image, images.read_mask, images.upright_size, images.about])
def test_damaged_files_give_one_error_that_names_them(tmp_path, way):
    rng, path = np.random.default_rng(0), tmp_path / "x.png"
    damaged = [fuzzing.damaged(content, rng) for content in fuzzing.whole().values() for _ in range(6)]
    said = []
    for content in damaged:
        path.write_bytes(content)
        said.append(told(path, way))
    assert sum(map(bool, said)) > 40


def png_claiming(width, height) -> bytes:
    def chunk(kind, body):
        return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    head = width.to_bytes(4) + height.to_bytes(4) + b"\x08\x06\x00\x00\x00"
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def webp_claiming(width, height) -> bytes:
    still = fuzzing.whole(("WEBP",))["WEBP RGB"]
    head = b"\x10\x00\x00\x00" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"VP8X" + len(head).to_bytes(4, "little") + head + still[12:]
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


def tiff_claiming(width, height) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "TIFF", tiffinfo={})
    data = bytearray(file.getvalue())
    first = int.from_bytes(data[4:8], "little")
    for entry in range(int.from_bytes(data[first : first + 2], "little")):
        place = first + 2 + 12 * entry
        tag = int.from_bytes(data[place : place + 2], "little")
        if tag in (256, 257):
            data[place + 2 : place + 12] = b"\x04\x00\x01\x00\x00\x00" + (width, height)[tag - 256].to_bytes(
                4, "little"
            )
    return bytes(data)


CLAIMS = {
    "png": png_claiming(60000, 60000), "tiff": tiff_claiming(60000, 60000), "webp": webp_claiming(16000, 16000),
    "bmp": b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0" + (60000).to_bytes(4, "little") * 2 + b"\1\0\x18\0" + bytes(24),
    "pgm": b"P5 60000 60000 255\n" + bytes(99),
}  # fmt: skip


READER = """
import sys
from pathlib import Path
from data_pipeline import images
used = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])  # ru_maxrss is inherited.
for name in sys.argv[1:]:
    before = used()
    try:
        images.read_image(Path(name))
    except ValueError as error:
        print(used() - before, error)
"""


def test_sizes_are_judged_before_anything_is_allocated(tmp_path):
    paths = [tmp_path / f"x.{kind}" for kind in CLAIMS]
    for path, content in zip(paths, CLAIMS.values(), strict=True):
        path.write_bytes(content)
    done = subprocess.run([sys.executable, "-c", READER, *paths], capture_output=True, text=True, check=True)
    for path, line in zip(paths, done.stdout.splitlines(), strict=True):
        kilobytes, said = line.split(" ", 1)
        assert said.startswith(f"{path}: ") and "cut the image into tiles" in said
        assert int(kilobytes) < 20000


def test_a_file_larger_than_any_image_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2**18)
    path = tmp_path / "x.webp"
    with path.open("wb") as file:
        file.truncate(2**21 + 1)
    assert "2097153 bytes are more than an image of 262144 pixels takes" in told(path)


ORIENTATIONS = {1: lambda x: x, 2: lambda x: x[:, ::-1], 3: lambda x: x[::-1, ::-1], 4: lambda x: x[::-1],
                5: lambda x: x.T, 6: lambda x: np.rot90(x, -1), 7: lambda x: x[::-1, ::-1].T,
                8: lambda x: np.rot90(x)}  # fmt: skip


@pytest.mark.parametrize("kind", ["png", "tiff", "webp", "jpeg"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_rotated_image_is_turned_upright_and_so_is_its_mask(tmp_path, kind, orientation):
    stored = np.zeros((16, 32), np.uint8)
    stored[2:5, 20:30] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"x.{kind}"
    Image.fromarray(stored).save(path, exif=exif, **({"lossless": True} if kind == "webp" else {}))
    upright = ORIENTATIONS[orientation](stored)
    found = images.read_image(path, channels=1)[..., 0]
    assert found.shape == upright.shape and images.upright_size(path) == upright.shape
    assert np.abs(found.astype(int) - upright).max() <= (40 if kind == "jpeg" else 0)
    assert np.array_equal(images.read_mask(path), upright // 255)
    if kind in ("png", "tiff"):
        Image.fromarray(stored.astype(np.uint16) * 257).save(path, exif=exif)
        assert np.array_equal(images.read_image(path)[..., 0], upright)
    assert images.about(path).turned == (orientation > 1)


def test_frames_are_counted_and_the_first_is_read(tmp_path):
    first, second = Image.new("L", (8, 8), 7), Image.new("L", (8, 8), 9)
    first.save(tmp_path / "x.tif", save_all=True, append_images=[second, second])
    assert images.about(tmp_path / "x.tif").frames == 3
    assert (images.read_image(tmp_path / "x.tif") == 7).all()
