"""A folder that is watched: files half written, bad ones, a stop and a restart."""

import json

import numpy as np
import pytest
from PIL import Image

from launch.command import files
from launch.run import detection, watching
from tests.launch.small_runs import write


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name, seconds in (("POLL", 0.01), ("STILL", 0.03), ("PATIENCE", 0.3)):
        monkeypatch.setattr(watching, name, seconds)


@pytest.fixture
def line(tmp_path):
    """A function that watches until there are `count` lines, calling `then(line)` after each. Returns all of them."""
    (tmp_path / "in" / "camera").mkdir(parents=True)

    def watched(run, count, then=lambda row: None, **chosen):
        rows = []

        def emit(text):
            rows.append(json.loads(text))
            then(rows[-1])

        told = watching.watch(
            run, tmp_path / "in", tmp_path / "out", emit=emit, stopped=lambda: len(rows) >= count, **chosen
        )
        assert told["images"] == len(rows) and told["errors"] == sum("error" in row for row in rows)
        return rows

    return watched


def test_images_are_lines_as_they_arrive(run, line, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    write(folder / "0.png", 64, 64)
    write(folder / "camera" / "whole.png", 64, 64, seed=1)
    (folder / "notes.txt").write_text("no image")
    whole = (folder / "camera" / "whole.png").read_bytes()

    def then(row):
        if row["image"] == "0.png":
            (folder / "half.png").write_bytes(whole[:500])
            (folder / "bad.png").write_bytes(b"no image")
        if row["image"] == "bad.png":  # By now the half would be an error, were it not growing.
            (folder / "half.png").write_bytes(whole)

    grown = []
    stat = watching.mark
    with pytest.MonkeyPatch.context() as patch:

        def mark(path):
            found = stat(path)
            if path.name == "half.png" and found[0] < len(whole):
                grown.append(0)
                found = [found[0], len(grown)]  # as if bytes came all the time
            return found

        patch.setattr(watching, "mark", mark)
        rows = line(run, 4, then)
    assert [row["image"] for row in rows] == ["0.png", "camera/whole.png", "bad.png", "half.png"] and grown
    assert "bad.png" in rows[2]["error"] and rows[3]["score"] == rows[1]["score"] and rows[0]["time"].endswith("+00:00")
    assert rows == [json.loads(text) for text in (out / detection.LOG).read_text().splitlines()]
    names = {str(path.relative_to(out / "masks")) for path in (out / "masks").rglob("*.png")}
    assert names == {"0.png.png", "camera/whole.png.png", "half.png.png"}
    alone = detection.detect(run, folder / "camera", tmp_path / "alone")[0]
    assert all(rows[1][name] == alone[name] for name in alone if name != "image") and "regions" in alone


def test_started_again_it_goes_on_with_what_is_missing(run, line, tmp_path):
    folder, log = tmp_path / "in", tmp_path / "out" / detection.LOG
    for number in range(6):
        write(folder / f"{number}.png", 64, 64, seed=number)
    first = line(run, 2)
    assert len(first) >= 2  # those in hand were finished
    with log.open("a") as file:
        file.write('{"image": "5.png", "ti')  # as a kill leaves it
    done = {row["image"] for row in first}
    write(folder / "0.png", 64, 64, seed=9)  # another image of that name
    write(folder / "6.png", 64, 64, seed=9)
    wanted = {f"{number}.png" for number in range(7)} - done | {"0.png"}
    rest = line(run, len(wanted))
    assert {row["image"] for row in rest} == wanted
    other = line(run, 7, pixel_threshold=0.0)
    assert len(other) == 7 and all(row["pixel_threshold"] == 0 for row in other)


def test_a_bad_file_is_looked_at_again_once_it_is_another(run, line, tmp_path):
    folder = tmp_path / "in"
    (folder / "a.png").write_bytes(b"")

    def then(row):
        if "error" in row:
            write(folder / "a.png", 64, 64)

    first, second = line(run, 2, then)
    assert "a.png" in first["error"] and "score" in second and second["image"] == "a.png"


def test_what_cannot_be_watched_is_refused(run, line, tmp_path):
    with pytest.raises(FileNotFoundError, match="gone is no folder; give the folder that images will arrive in"):
        watching.watch(run, tmp_path / "gone", tmp_path / "out", emit=print, stopped=lambda: True)
    with files.locked(tmp_path / "out"), pytest.raises(files.InUse, match="out is in use by another process"):
        line(run, 0)
    with pytest.raises(ValueError, match="--pixel-size -1"):
        line(run, 0, pixel_size=-1.0)


def test_names_that_are_done_cost_little(tmp_path):
    for number in range(50):
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / f"{number}.png")
    known = {f"{number}.png" for number in range(49)}
    marked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "mark", lambda path: marked.append(path.name) or [1, 1])
        waiting = {"gone.png": watching.Arrival([1, 1], 0.0, 0.0)}
        assert watching.look(tmp_path, tmp_path / "out", known, waiting, {}) == []
    assert marked == ["49.png"] and list(waiting) == ["49.png"]
