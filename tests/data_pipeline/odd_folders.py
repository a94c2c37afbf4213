"""Folders in MVTec layout with something odd in them, as users bring them; some of it is wrong."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data_pipeline.folders import RNG, mvtec, write_image, write_mask

NAMES = ("shot#{}", "a b {}", "-{}", "={}", "+{}", "ü{}", "x\n{}", "\x1b[31m{}", "[old]{}", "{}%s", "n,{}", "'{}\"",
         "\u202e{}", "x" * 230 + "{}", "x" * 245 + "{}", "<script>{}", "{}.part.png", "..{}")  # fmt: skip


def _draw(height=20, width=30) -> np.ndarray:
    return RNG.integers(20, 230, (height, width), dtype=np.uint8)


def _names(root: Path, pick: Callable) -> None:
    name, place = pick(NAMES), pick(("train/good", "test/good"))
    for number in range(3):
        write_image(root / place / f"{name.format(number)}.png")


def _bytes_that_are_no_text(root: Path, pick: Callable) -> None:
    for number in range(2):
        file = os.fsencode(root / "train/good") + b"/bad\xff\xfe%d.png" % number
        os.link(write_image(root / f"{number}.png"), file)
        (root / f"{number}.png").unlink()


def _kind(root: Path, pick: Callable) -> None:
    kind = pick(("kind#1", "=kind", "\x1b[0mkind", "Good", "[/red]", "ki\nnd"))
    write_image(root / f"test/{kind}/000.png")
    if pick((True, False)):
        write_mask(root / f"ground_truth/{kind}/000_mask.png")


def _saved(root: Path, pick: Callable) -> None:
    mode = pick(("RGB", "RGBA", "LA", "P", "1", "CMYK", "I;16", "F", "LAB", "YCbCr", "I"))
    image = Image.new("LAB", (30, 20), (5, 6, 7)) if mode == "LAB" else Image.fromarray(_draw()).convert(mode)
    suffix = pick(("png", "tif", "jpg", "bmp", "webp"))
    path = root / pick(("train/good", "test/crack")) / f"000.{suffix}"
    for old in path.parent.glob("000.*"):
        old.unlink()
    try:
        image.save(path)
    except (OSError, ValueError, KeyError):  # Not every kind of file takes every mode.
        write_image(path.with_suffix(".png"))
        path.unlink(missing_ok=True)


def _sixteen_bits(root: Path, pick: Callable) -> None:
    like = _draw().astype(np.uint16) * pick((1, 16, 257))
    write_image(root / pick(("train/good", "test/good")) / "001.png", like=like)


def _rotated(root: Path, pick: Callable) -> None:
    exif = Image.Exif()
    exif[0x0112] = pick((3, 6, 8))
    Image.fromarray(_draw()).save(root / pick(("train/good", "test/crack")) / "000.png", exif=exif)


def _content(root: Path, pick: Callable) -> None:
    path = root / pick(("train/good/001.png", "test/crack/001.png", "ground_truth/crack/001_mask.png"))
    whole = path.read_bytes()
    made = (
        b"",
        b"text",
        whole[:60],
        whole[:-20],
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"GIF89a" + whole,
    )
    path.write_bytes(pick(made))


def _mask(root: Path, pick: Callable) -> None:
    path = root / "ground_truth/crack/000_mask.png"
    pick((
        lambda: path.unlink(), lambda: write_mask(path, width=31), lambda: write_mask(path, defect=False),
        lambda: write_mask(path, values=(0, 1)), lambda: write_mask(path, values=(255, 0)),
        lambda: write_image(path), lambda: write_image(path, like=np.arange(600, dtype=np.uint8).reshape(20, 30) // 9),
        lambda: path.rename(path.with_name("000.png")), lambda: write_mask(path.with_name("007_mask.png")),
    ))()  # fmt: skip


def _structure(root: Path, pick: Callable) -> None:
    clear = lambda folder: [path.unlink() for path in (root / folder).glob("*")]
    pick((
        lambda: clear("train/good"), lambda: clear("test/crack"), lambda: clear("test/good"),
        lambda: clear("ground_truth/crack"), lambda: (root / "test/empty").mkdir(),
        lambda: [(root / f"train/good/00{n}.png").unlink(missing_ok=True) for n in range(1, 6)],
        lambda: [(root / f"train/good/00{n}.png").unlink(missing_ok=True) for n in range(2, 6)],
        lambda: write_image(root / "train/good/000.bmp"), lambda: (root / "train/good/x.png").mkdir(),
        lambda: (root / "train/good/y.png").symlink_to("nowhere.png"), lambda: os.mkfifo(root / "test/good/p.png"),
        lambda: (root / "test/good/loop.png").symlink_to("loop.png"),
        lambda: write_image(root / "train/good/.hidden.png"),
        lambda: write_image(root / "test/good/a.gif"), lambda: (root / "test/good/notes.txt").write_text("x"),
        lambda: (root / "train").rename(root / "training"),
    ))()  # fmt: skip


def _frames(root: Path, pick: Callable) -> None:
    pages = [Image.fromarray(_draw()) for _ in range(2)]
    pages[0].save(root / "train/good/pages.tif", save_all=True, append_images=pages[1:])


def _sizes(root: Path, pick: Callable) -> None:
    height, width = pick(((64, 16), (16, 64), (33, 47), (128, 128)))
    write_image(root / pick(("train/good", "test/good")) / "000.png", height=height, width=width)


ODD = (_names, _bytes_that_are_no_text, _kind, _saved, _sixteen_bits, _rotated, _content, _mask, _structure, _frames,
       _sizes)  # fmt: skip


def odd_folder(root: Path, rng: np.random.Generator) -> list[str]:
    """A small sound folder with up to three odd things in it; their names."""
    mvtec(root)
    pick = lambda choices: choices[int(rng.integers(len(choices)))]
    done = []
    for _ in range(int(rng.integers(4))):
        change = pick(ODD)
        try:
            change(root, pick)
            done.append(change.__name__)
        except OSError:  # What it changes is gone by an earlier one, or a name is too long for this disk.
            continue
    return done
