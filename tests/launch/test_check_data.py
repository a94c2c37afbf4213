"""check_data counts what is there and finds each kind of mistake, with the file and what to do."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from launch import check_data
from tests.data_pipeline.folders import mvtec, write_image, write_mask


@pytest.fixture
def check(capsys):
    """Runs the command; returns its status and what it printed."""

    def run(*arguments):
        status = check_data.main([str(argument) for argument in arguments])
        return status, capsys.readouterr().out

    return run


def test_a_sound_folder_is_recognised_counted_and_passed(tmp_path, check):
    status, output = check(mvtec(tmp_path))
    assert status == 0
    assert "mvtec, 10 images" in output
    assert "nothing is wrong" in output
    row = next(line for line in output.splitlines() if "crack" in line)
    assert [cell.strip() for cell in row.strip("│ ").split("│")] == [
        "test", "crack", tmp_path.name, "2", "2", "20 x 30", "24 (24)",
    ]  # fmt: skip


def test_real_sets_are_recognised_and_sound(real_images, check):
    for folder, name, count in (("aitex", "aitex", 22), ("nanotwice", "nanotwice", 19), ("hazelnut_toy", "mvtec", 51)):
        status, output = check(real_images / folder)
        assert status == 0, output
        assert f"{name}, {count} images" in output


MISTAKES = {
    "truncated": lambda root: (root / "train/good/000.png").write_bytes(
        (root / "train/good/001.png").read_bytes()[:99]
    ),
    "empty": lambda root: (root / "test/crack/000.png").write_bytes(b""),
    "no mask": lambda root: (root / "ground_truth/crack/000_mask.png").unlink(),
    "mask size": lambda root: write_mask(root / "ground_truth/crack/000_mask.png", width=31),
    "mask values": lambda root: write_image(
        root / "ground_truth/crack/000_mask.png",
        like=np.arange(600, dtype=np.uint16).reshape(20, 30).astype(np.uint8) // 9,
    ),
    "empty mask": lambda root: write_mask(root / "ground_truth/crack/000_mask.png", defect=False),
    "inverted mask": lambda root: write_mask(root / "ground_truth/crack/000_mask.png", values=(255, 0)),
    "stray mask": lambda root: write_mask(root / "ground_truth/crack/009_mask.png"),
    "twice": lambda root: (root / "test/good/000.png").write_bytes((root / "train/good/000.png").read_bytes()),
    "same name": lambda root: write_image(root / "train/good/000.bmp"),
    "flat": lambda root: write_image(root / "train/good/000.png", like=np.full((20, 30), 7, np.uint8)),
    "12 bit": lambda root: write_image(
        root / "train/good/000.png", like=np.arange(600, dtype=np.uint16).reshape(20, 30)
    ),
}
FOUND = {
    "truncated": ("train/good/000.png", "damaged", "copy it again"),
    "empty": ("test/crack/000.png", "0 bytes", "copy it again"),
    "no mask": ("test/crack/000.png", "without a mask", "outline the defect"),
    "mask size": ("ground_truth/crack/000_mask.png", "31 x 20", "export the mask"),
    "mask values": ("ground_truth/crack/000_mask.png", "none above 127", "write the defect as 255"),
    "empty mask": ("test/crack/000.png", "marks nothing", "outline the defect"),
    "inverted mask": ("test/crack/000.png", "marks 96% of the image", "invert it"),
    "stray mask": ("ground_truth/crack/009_mask.png", "belongs to nothing", "rename or remove it"),
    "twice": ("test/good/000.png", "the same image as train/good/000.png", "remove one"),
    "same name": ("train/good/000.bmp", "2 images are called train/good/000", "rename all but one"),
    "flat": ("train/good/000.png", "every pixel is 7", "replace the image"),
    "12 bit": ("train/good/000.png", "16-bit image that uses only", "multiply by 16"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_found_with_file_rule_and_remedy(tmp_path, check, mistake):
    MISTAKES[mistake](mvtec(tmp_path))
    status, output = check(tmp_path)
    assert status == 1
    problems = [line for line in output.splitlines() if FOUND[mistake][0] in line and FOUND[mistake][1] in line]
    assert len(problems) == 1, output
    assert FOUND[mistake][2] in problems[0]
    assert f"problems: {2 if mistake == 'same name' else 1}" in output


def rotated(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.random.default_rng(2).integers(20, 230, (20, 30), np.uint8)).save(path, exif=exif)


def pages(path):
    frames = [Image.fromarray(np.full((20, 30), value, np.uint8).cumsum(1).astype(np.uint8)) for value in (1, 2, 3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


LONG = "x" * 236 + ".tiff"
PROBLEMS = {
    "GIF": (lambda root: write_image(root / "test/good/a.gif"), "test/good/a.gif: a .gif file, which is not read; "),
    "long": (lambda root: write_image(root / f"train/good/{LONG}"), f"train/good/{LONG}: a name of 241 bytes"),
    "empty train": (lambda root: [path.unlink() for path in (root / "train/good").iterdir()],
                    "train/good: expected normal images to train on; found nothing"),
    "another name of train": (lambda root: (root / "train").rename(root / "training"),
                              "expected the folder train/good; found ground_truth/, test/, training/"),
    "one image": (lambda root: [path.unlink() for path in (root / "train/good").glob("00[1-9]*")],
                  "1 normal training images leave none to train on"),
    "dangling": (lambda root: (root / "test/good/x.png").symlink_to("gone"), "test/good/x.png: no such image file; "),
}  # fmt: skip
NOTES = {
    "#": (lambda root: [write_image(root / f"train/good/shot#{n}.png") for n in range(3)], None),
    "no UTF-8": (lambda root: write_image(root / os.fsdecode(b"train/good/bad\xff\xfe.png")), None),
    "frames": (lambda root: pages(root / "train/good/p.tif"), "1 files hold several frames, of which the first"),
    "rotation": (lambda root: rotated(root / "train/good/r.png"), "1 images are turned upright, as their EXIF"),
    "depths": (lambda root: write_image(root / "train/good/deep.png", like=np.random.default_rng(3).integers(
        0, 2**16, (20, 30), np.uint16)), "10 images of 8 bits, such as train/good/000.png, and 1 of 16 bits, such as "),
    "empty folder": (lambda root: (root / "test/scratch").mkdir(), "test/scratch is empty"),
}  # fmt: skip


@pytest.mark.parametrize("oddity", PROBLEMS)
def test_what_training_or_detection_would_refuse_or_overlook_is_a_problem(tmp_path, check, oddity):
    make, said = PROBLEMS[oddity]
    make(mvtec(tmp_path))
    status, output = check(tmp_path)
    assert status == 1 and said in output and "problems: 1" in output


@pytest.mark.parametrize("oddity", NOTES)
def test_what_may_not_be_meant_is_noted_and_passes(tmp_path, check, oddity):
    make, said = NOTES[oddity]
    make(mvtec(tmp_path))
    status, output = check(tmp_path)
    assert status == 0 and "nothing is wrong" in output
    assert [line for line in output.splitlines() if line.startswith("note: ")] == [
        line for line in output.splitlines() if said and said in line
    ]


def test_a_folder_that_cannot_be_entered_is_a_problem(tmp_path, check, monkeypatch):
    shut = mvtec(tmp_path) / "shut"
    shut.mkdir()
    whole = os.scandir

    def scandir(path):
        if str(path) == str(shut):
            raise PermissionError(13, "Permission denied", str(shut))
        return whole(path)

    monkeypatch.setattr(os, "scandir", scandir)
    status, output = check(tmp_path)
    assert status == 1 and "shut: this user may not read the folder; change its permissions" in output


def test_a_folder_without_any_mask_is_sound(tmp_path, check):
    shutil.rmtree(mvtec(tmp_path) / "ground_truth")
    status, output = check(tmp_path)
    assert status == 0 and "mvtec, 10 images" in output and "nothing is wrong" in output


def test_a_plain_folder_of_images_is_checked(tmp_path, check):
    write_image(tmp_path / "a.png")
    write_image(tmp_path / "deep/b.bmp")
    Image.fromarray(np.random.default_rng(1).integers(0, 9, (9, 9, 4), dtype=np.uint8), "CMYK").save(tmp_path / "c.tif")
    status, output = check(tmp_path)
    assert status == 0
    assert "no known layout, 3 images" in output
    assert "print colours" in output
    (tmp_path / "d.png").write_text("no image")
    status, output = check(tmp_path)
    assert status == 1
    assert "d.png" in output and "convert it to PNG" in output


def test_a_named_layout_that_does_not_fit_says_what_it_expected(tmp_path, check):
    write_image(tmp_path / "a.png")
    with pytest.raises(FileNotFoundError, match="expected normal images"):
        check(tmp_path, "--layout", "nanotwice")
    with pytest.raises(ValueError, match="did you mean 'nanotwice'"):
        check(tmp_path, "--layout", "nanotwise")


def test_options_reach_the_layout(tmp_path, check):
    for category in ("screw", "[bold]nut"):  # Names are shown as they are, not as markup.
        mvtec(tmp_path / category)
    status, output = check(tmp_path)
    assert status == 1 and "give the folder of one of [bold]nut, screw, or its name by data.options.category=" in output
    for option in ("category=[bold]nut", "data.options.category=[bold]nut"):
        status, output = check(tmp_path, "--layout", "mvtec", "--option", option)
        assert status == 0 and "[bold]nut" in output


def test_an_empty_or_missing_folder_is_an_error(tmp_path, check):
    (tmp_path / "empty").mkdir()
    for folder, says in (("empty", "no images in it"), ("nowhere", "no such folder")):
        with pytest.raises(FileNotFoundError, match=says):
            check(tmp_path / folder)
