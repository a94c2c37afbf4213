"""A folder of images: what is written, what a cut call leaves, and what one bad file costs."""

import json

import numpy as np
import pytest
from PIL import Image

from launch.run import detection
from tests.launch.small_runs import rows_of, write


@pytest.fixture
def folder(tmp_path):
    for number in range(5):
        write(tmp_path / "in" / f"{number}.png", 64, 64, seed=number)
    return tmp_path / "in"


def test_each_defect_is_told_in_pixels_and_millimetres(run, folder, tmp_path):
    rows = detection.detect(run, folder, tmp_path / "out", pixel_size=0.5, pixel_threshold=0.0)
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
    monkeypatch.setattr("launch.run.inference.AHEAD", 0)
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
    monkeypatch.setattr("launch.run.inference.AHEAD", 0)
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


def test_what_an_earlier_call_wrote_is_no_image(run, folder):
    first = detection.detect(run, folder, folder)
    assert detection.detect(run, folder, folder) == first and len(first) == 5
