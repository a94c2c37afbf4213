"""A folder of images: what is written, what a cut call leaves, and what one bad file costs."""

import io
import json
import os
import struct
import zlib

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image

from jaxdefect import parallel
from launch.command import files
from launch.run import detection, prediction
from tests.launch.small_runs import rows_of, write


@pytest.fixture
def folder(tmp_path):
    for number in range(5):
        write(tmp_path / "in" / f"{number}.png", 64, 64, seed=number)
    return tmp_path / "in"


def test_each_defect_is_told_in_pixels_and_millimetres(run, folder, tmp_path):
    chosen = {"pixel_threshold": 0.0, "image_threshold": -1.0}
    rows = detection.detect(run, folder, tmp_path / "out", pixel_size=0.5, **chosen)
    told = json.loads((tmp_path / "out" / "detections.json").read_text())
    assert [row["image"] for row in told["images"]] == [f"{number}.png" for number in range(5)]
    table = rows_of(tmp_path / "out" / "detections.csv")
    for image, row, line in zip(told["images"], rows, table, strict=True):
        assert image == row and int(line["defects"]) == len(image["regions"]) > 0
        assert float(line["image_threshold"]) == image["image_threshold"] and float(line["pixel_threshold"]) == 0
        with Image.open(tmp_path / "out" / "masks" / f"{image['image']}.png") as mask:
            assert int((np.asarray(mask) > 0).sum()) == sum(region["area"] for region in image["regions"])
        for region in image["regions"]:
            assert region["area_mm2"] == region["area"] / 4 and region["extent_mm"] == region["extent"] / 2
            assert region["box_mm"] == [side / 2 for side in region["box"]]
    with pytest.raises(ValueError, match="--pixel-size 0; give the side of a pixel in millimetres"):
        detection.detect(run, folder, tmp_path / "out", pixel_size=0.0)


def test_no_defect_is_told_of_an_image_that_passes(run, folder, tmp_path):
    founds = list(detection.open_run(run).stream(np.asarray(Image.open(path)) for path in sorted(folder.iterdir())))
    middle, level = float(np.median([found.score for found in founds])), float(np.median(founds[0].map))
    rows = detection.detect(run, folder, tmp_path / "out", pixel_threshold=level, image_threshold=middle)
    assert [row["defective"] for row in rows] == [int(row["score"] > middle) for row in rows]
    assert sum(row["defective"] for row in rows) == 2
    for row, line in zip(rows, rows_of(tmp_path / "out" / "detections.csv"), strict=True):
        assert (row["image_threshold"], row["pixel_threshold"]) == (middle, level)
        assert (float(line["image_threshold"]), float(line["pixel_threshold"])) == (middle, level)
        mask = np.asarray(Image.open(tmp_path / "out" / "masks" / f"{row['image']}.png"))
        overlay = np.asarray(Image.open(tmp_path / "out" / "overlays" / f"{row['image']}.png").convert("RGB"))
        plain = np.asarray(Image.open(folder / row["image"]).convert("RGB"))
        outlined = bool((overlay != plain).any())
        told = {bool(row["regions"]), bool(row["defect_pixels"]), bool(mask.any()), outlined}
        assert told == {bool(row["defective"])}


def test_an_overlay_is_the_image_with_a_line_whatever_the_colours():
    rng, mask = np.random.default_rng(0), np.zeros((40, 50), bool)
    mask[0:9, 20:30] = mask[30, 40] = True
    line = scipy.ndimage.binary_dilation(mask, np.ones((5, 5))) & ~mask
    every_level = np.arange(40 * 50).reshape(40, 50, 1).astype(np.uint8)
    for image in (
        rng.integers(9, 200, (40, 50, 1), np.uint8),
        every_level,
        rng.integers(0, 255, (40, 50, 3), np.uint8),
    ):
        drawn = Image.open(io.BytesIO(detection.overlay(image, mask)))
        assert drawn.mode == ("P" if image.max() < 200 else "RGB")
        colour = np.broadcast_to(image, (40, 50, 3))
        np.testing.assert_array_equal(drawn.convert("RGB"), np.where(line[..., None], detection.OUTLINE, colour))
        passed = Image.open(io.BytesIO(detection.overlay(image, mask & False)))
        np.testing.assert_array_equal(passed.convert("RGB"), colour)


def test_colours_that_a_run_does_not_see_are_told_once(run, folder, tmp_path, capsys):
    rng = np.random.default_rng(0)
    for letter in "bcdefgh":  # Several threads read them.
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(folder / f"{letter}.png")
    rows = detection.detect(run, folder, tmp_path / "out")
    said = "".join(capsys.readouterr())
    assert len(rows) == 12 and said.count("b.png is in colour, and the run looks at its grey (data.channels=1)") == 1
    assert said.count("is in colour") == 1


def count_predictions(monkeypatch, stop_after=None):
    seen = []
    plain = detection.OpenRun.predict

    def predict(self, image):
        if len(seen) == stop_after:
            raise KeyboardInterrupt
        seen.append(image)
        return plain(self, image)

    monkeypatch.setattr(detection.OpenRun, "predict", predict)
    return seen


def test_a_call_that_was_cut_off_goes_on_with_what_is_missing(run, folder, tmp_path, monkeypatch):
    whole = detection.detect(run, folder, tmp_path / "whole")
    monkeypatch.setattr("launch.run.overlap.AHEAD", 0)
    with monkeypatch.context() as cut:
        count_predictions(cut, stop_after=3)
        with pytest.raises(KeyboardInterrupt):
            detection.detect(run, folder, tmp_path / "out")
    assert not (tmp_path / "out" / "detections.csv").exists()
    with (tmp_path / "out" / detection.JOURNAL).open("a") as journal:
        journal.write('{"image": "4.png", "fi')  # as a kill leaves it
    with monkeypatch.context() as counted:
        seen = count_predictions(counted)
        assert detection.detect(run, folder, tmp_path / "out") == whole
    assert 0 < len(seen) < 5
    for name in ("detections.csv", "masks/0.png.png", "overlays/4.png.png"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / "out" / detection.JOURNAL).exists()


@pytest.mark.parametrize("change", ["threshold", "image"])
def test_nothing_is_gone_on_with_that_would_be_another_result(run, folder, tmp_path, monkeypatch, change):
    monkeypatch.setattr("launch.run.overlap.AHEAD", 0)
    with monkeypatch.context() as cut:
        count_predictions(cut, stop_after=4)
        with pytest.raises(KeyboardInterrupt):
            detection.detect(run, folder, tmp_path / "out")
    if change == "image":
        for number in range(5):
            write(folder / f"{number}.png", 64, 60, seed=number + 9)
    seen = count_predictions(monkeypatch)
    rows = detection.detect(run, folder, tmp_path / "out", **({"min_area": 3} if change == "threshold" else {}))
    assert len(seen) == len(rows) == 5


def test_a_bad_file_costs_its_own_row(run, folder, tmp_path, monkeypatch):
    long = "n" * (detection.LONGEST - 3) + ".png"
    write(folder / long, 64, 64)
    (folder / "2.png").write_bytes(b"no image")
    plain = detection.images.read_image

    def read(path):
        if path.name == "3.png":
            path.unlink()
        return plain(path)

    monkeypatch.setattr(detection.images, "read_image", read)
    rows = {row["image"]: row for row in detection.detect(run, folder, tmp_path / "out")}
    assert {name for name, row in rows.items() if "error" in row} == {"2.png", "3.png", long}
    assert "rename the file" in rows[long]["error"] and "score" in rows["4.png"]


def test_a_link_to_nothing_has_a_row(run, folder, tmp_path):
    (folder / "lost.png").symlink_to(tmp_path / "elsewhere.png")
    rows = {row["image"]: row for row in detection.detect(run, folder, tmp_path / "out")}
    assert "lost.png" in rows.pop("lost.png")["error"]
    assert rows and all("score" in row for row in rows.values())


def test_a_folder_that_cannot_be_entered_has_a_row(run, folder, tmp_path, monkeypatch):
    (folder / "shut").mkdir()
    whole = os.scandir

    def scandir(path):
        if str(path) == str(folder / "shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(os, "scandir", scandir)
    rows = {row["image"]: row for row in detection.detect(run, folder, tmp_path / "out")}
    assert rows.pop("shut")["error"] == "shut: this user may not read the folder; change its permissions"
    assert rows and all("score" in row for row in rows.values())


def test_what_an_earlier_call_wrote_is_no_image(run, folder):
    first = detection.detect(run, folder, folder)
    assert detection.detect(run, folder, folder) == first and len(first) == 5


def test_nor_is_what_a_call_with_another_folder_for_it_wrote(run, folder):
    first = detection.detect(run, folder, folder / "out" / "1")
    assert [row["image"] for row in detection.detect(run, folder, folder / "out" / "2")] == [r["image"] for r in first]
    write(folder / "masks" / "own.png", 64, 64)  # No folder of ours: a picture in it is an image like any other.
    assert len(detection.find_images(folder, folder / "out" / "3")) == 6


def test_a_name_that_is_no_text_costs_nothing(run, folder, tmp_path):
    name = os.fsdecode(b"\xff.png")
    write(folder / name, 64, 64)
    rows = {row["image"]: row for row in detection.detect(run, folder, tmp_path / "out")}
    assert "score" in rows[name] and len(rows) == 6 and (tmp_path / "out" / "masks" / f"{name}.png").is_file()
    assert "\\udcff.png" in {row["image"] for row in rows_of(tmp_path / "out" / "detections.csv")}


def test_two_calls_do_not_write_to_one_folder(run, folder, tmp_path):
    with files.locked(tmp_path / "out"), pytest.raises(files.InUse, match="out is in use by another process"):
        detection.detect(run, folder, tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="out cannot be written in .*; fix the permissions there or give another folder"):
        detection.detect(run, folder, tmp_path / "file" / "out")


def test_names_that_differ_in_their_suffix_keep_masks_of_their_own(run, folder, tmp_path):
    write(folder / "0.bmp", 64, 64, seed=9)
    rows = detection.detect(run, folder, tmp_path / "out", image_threshold=-1.0, pixel_threshold=0.0)
    assert len({path.name for path in (tmp_path / "out" / "masks").iterdir()}) == len(rows) == 6


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "P", "1"])
def test_an_image_of_any_number_of_channels_is_brought_to_those_of_the_run(run, tmp_path, mode):
    grey = np.random.default_rng(0).integers(0, 2, (64, 64), np.uint8) * 255
    (tmp_path / "in").mkdir()
    Image.fromarray(grey).save(tmp_path / "in" / "grey.png")
    Image.fromarray(grey).convert(mode).save(tmp_path / "in" / "other.tif")
    one, other = detection.detect(run, tmp_path / "in", tmp_path / "out")
    assert other["score"] == pytest.approx(one["score"], rel=1e-6)


def giant(path):
    """A PNG that says it has 30,000 x 30,000 pixels."""
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b""))


def test_a_giant_image_costs_its_own_row(run, folder, tmp_path, monkeypatch):
    giant(folder / "giant.png")
    write(folder / "large.png", 80, 80)
    monkeypatch.setattr(prediction, "LARGE", 64 * 64)
    monkeypatch.setattr(parallel, "free_memory", lambda: 1e3)
    rows = {row["image"]: row for row in detection.detect(run, folder, tmp_path / "out")}
    assert {name for name, row in rows.items() if "error" in row} == {"giant.png", "large.png"}
    assert "giant.png: it holds more than the limit of " in rows["giant.png"]["error"]
    said = rows["large.png"]["error"]
    assert said.startswith("large.png: an image of 80 x 80 pixels takes 0.0 GB") and "score.mode=tiled" in said


def test_one_bad_image_among_several_in_a_call_costs_its_own_row(run, folder, tmp_path, monkeypatch):
    alone = detection.detect(run, folder, tmp_path / "alone")
    plain = prediction.Predictor.originals

    def refuse(self, images):
        if any(image[0, 0, 0] == 0 for image in images):
            raise ValueError("a black corner")
        return plain(self, images)

    bad = np.asarray(Image.open(folder / "2.png")).copy()
    bad[0, 0] = 0
    Image.fromarray(bad).save(folder / "2.png")
    monkeypatch.setattr(prediction.Predictor, "originals", refuse)
    for place in ("launch.run.overlap.at_once", "launch.run.prediction.at_once"):
        monkeypatch.setattr(place, lambda height, width: 4)
    rows = detection.detect(run, folder, tmp_path / "out")
    assert [row.get("error") for row in rows] == [None, None, "2.png: a black corner", None, None]
    assert all(
        a["score"] == pytest.approx(b["score"], rel=1e-5) for a, b in zip(rows, alone, strict=True) if "error" not in a
    )


def test_a_score_that_is_no_number_is_an_error_and_no_good_image(run, folder, tmp_path, monkeypatch):
    plain = detection.OpenRun.predict
    monkeypatch.setattr(detection.OpenRun, "predict", lambda *given: plain(*given)._replace(score=float("nan")))
    rows = detection.detect(run, folder, tmp_path / "out")
    assert all("its score is no number" in row["error"] and "defective" not in row for row in rows)
