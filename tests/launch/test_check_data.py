"""check_data counts what is there and finds each kind of mistake, with the file and what to do."""

import shutil

import numpy as np
import pytest
from PIL import Image

from launch import check_data
from tests.data_pipeline.folders import mvtec, write_image, write_mask


@pytest.fixture
def check(capsys, monkeypatch):
    """Runs the command; returns its status and what it printed on one long line per row."""
    monkeypatch.setenv("COLUMNS", "400")

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
    "same name": ("train/good/000", "2 images have this name", "rename them"),
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
    assert "problems: 1" in output


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
    status, output = check(tmp_path, "--layout", "nanotwice")
    assert status == 1
    assert "expected normal images" in output
    status, output = check(tmp_path, "--layout", "nanotwise")
    assert status == 1
    assert "did you mean 'nanotwice'" in output


def test_options_reach_the_layout(tmp_path, check):
    for category in ("screw", "[bold]nut"):  # Names are shown as they are, not as markup.
        mvtec(tmp_path / category)
    assert "category= one of" in check(tmp_path, "--layout", "mvtec")[1]
    status, output = check(tmp_path, "--layout", "mvtec", "--option", "category=[bold]nut")
    assert status == 0
    assert "[bold]nut" in output


def test_an_empty_or_missing_folder_is_an_error(tmp_path, check):
    (tmp_path / "empty").mkdir()
    for folder, says in (("empty", "no images in it"), ("nowhere", "no such folder")):
        status, output = check(tmp_path / folder)
        assert status == 1
        assert says in output
