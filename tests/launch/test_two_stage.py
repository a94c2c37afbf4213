"""The system of two stages, from training to events, at small size."""

import json
import shutil
from functools import partial

import numpy as np
import pytest
from PIL import Image

from data_pipeline.layouts import synthetic
from launch import two_stage
from launch.system import inspection, training
from launch.system.outcomes import outcome_of
from tests import tiny

pytestmark = pytest.mark.drill  # It trains a system of several runs.
SMALL = [
    *(f"surfaces.{word}" for word in tiny.words("sbad")),
    *(f"defects.{word}" for word in tiny.words("segdec", synthetic=False)),
    "surfaces.data.options.surfaces=(1,3,6)", "surfaces.data.unseen=Class6,", "surfaces.data.options.train=6",
    "surfaces.data.options.train_defective=6", "defects.train.steps=10", "surfaces.train.steps=10",
]  # fmt: skip


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """The folder of a trained system."""
    folder = tmp_path_factory.mktemp("two") / "system"
    two_stage.main([str(folder), *SMALL])
    return folder


def events_of(folder):
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_a_system_has_a_run_for_each_seen_surface_and_none_for_unseen_ones(system):
    assert sorted(path.name for path in (system / "defects").iterdir()) == ["Class1", "Class3"]
    for name in ("Class1", "Class3"):
        config = json.loads((system / "defects" / name / "config.json").read_text())
        assert config["data"]["surface"] == name


def test_every_test_image_is_an_event_with_what_a_controller_needs(system):
    events = events_of(system)
    assert len(events) == 12 and {event["true_surface"] for event in events} == {"Class1", "Class3", "Class6"}
    for event in events:
        assert event["event"] == ("unseen" if event["score"] > event["threshold"] else event["event"])
        if event["event"] != "unseen":
            above = event["defect_score"] > event["defect_threshold"]
            assert event["event"] == ("defect" if above else "passed") and event["surface"] in ("Class1", "Class3")
        assert (event["mask"] is not None) == (event["event"] == "defect")
        assert event["outcome"] == outcome_of(event, ["Class6"])
        assert event["mask"] is None or (system / event["mask"]).is_file()


def test_of_images_that_pass_no_defects_are_kept_for_the_page(system):
    events = {event["id"]: event for event in events_of(system)}
    for entry in json.loads((system / "images" / "index.json").read_text()):
        arrays, event = np.load(system / "images" / entry["file"]), events[entry["id"]]
        if "mask" not in arrays:
            assert event["event"] == "unseen" and event["pixel_threshold"] is None
            continue
        above = arrays["map"] > event["pixel_threshold"]
        assert arrays["mask"].sum() <= above.sum() * (event["event"] == "defect")


def test_the_result_adds_up_and_the_page_is_there(system):
    result, events = json.loads((system / "result.json").read_text()), events_of(system)
    alarms = [event["event"] == "unseen" for event in events]
    unseen = [event["true_surface"] == "Class6" for event in events]
    assert result["figures"]["alarm_on_unseen"] == np.mean([a for a, u in zip(alarms, unseen, strict=True) if u])
    assert sum(map(sum, result["surfaces"]["confusion"])) == 12
    assert sum(row["images"] for row in result["by_surface"].values()) == 12
    assert set(result["curves"]) == {"Class1", "Class3"}
    assert all(value > 0 for value in result["timings"].values())
    page = (system / "report.html").read_text()
    assert len(page) > 10000 and 'href="surfaces/report.html"' in page and 'href="defects/Class3/report.html"' in page
    own = json.loads((system / "surfaces" / "result.json").read_text())["warnings"]
    assert all(any(text in told and "surfaces" in told for told in result["warnings"]) for text in own)
    assert result["command"].startswith("python -m launch.two_stage ") and result["system"] == str(system)


def test_finished_runs_are_not_trained_again(system, capsys, monkeypatch):
    monkeypatch.setattr(training, "train", lambda *about: pytest.fail("trained again"))
    before = events_of(system)
    two_stage.main([str(system), *SMALL])
    again = events_of(system)
    assert [(e["id"], e["event"], e["score"]) for e in again] == [(e["id"], e["event"], e["score"]) for e in before]


def test_a_folder_of_mixed_images_is_judged_and_broken_ones_are_named(system, tmp_path):
    folder = tmp_path / "line"
    folder.mkdir()
    for surface in (1, 3, 6):
        image, _ = synthetic.draw(surface, "test", 1, 99, size=(64, 96))
        Image.fromarray(image[..., 0]).save(folder / f"{surface}.png")
    (folder / "cut.png").write_bytes((folder / "1.png").read_bytes()[:200])
    assert two_stage.main([str(system), "--inspect", str(folder), "--out", str(tmp_path / "out")]) == 1
    events = events_of(tmp_path / "out")
    assert [event["id"] for event in events] == ["1.png", "3.png", "6.png", "cut.png"]
    assert [event["event"] == "error" for event in events] == [False, False, False, True]
    assert "cut.png" in events[-1]["error"]
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert len(result["distances"]["all"]) == 3 and "1 of 4 images" in result["warnings"][0]
    assert (tmp_path / "out" / "report.html").is_file()


def test_images_may_go_together_and_a_broken_one_costs_its_event_alone(system, tmp_path, monkeypatch):
    drawn = [synthetic.draw(surface, "test", 1, 99, size=(64, 96))[0] for surface in (1, 3, 6, 1, 3)]

    def locked():
        raise PermissionError("locked.png: this user may not read the file")

    items = [*((f"{place}.png", partial(np.copy, image)) for place, image in enumerate(drawn)), ("locked.png", locked)]
    stages = inspection.load(system)
    alone = inspection.inspect_images(stages, items, tmp_path / "alone")
    for place in ("launch.run.overlap.at_once", "launch.run.prediction.at_once"):
        monkeypatch.setattr(place, lambda height, width: 3)
    together = inspection.inspect_images(stages, items, tmp_path / "together")
    for one, other in zip(alone, together, strict=True):
        assert one.event == other.event | {
            key: pytest.approx(one.event[key], rel=1e-4) for key in ("score", "defect_score")
        }
        assert one.defect is one.mask is None  # Or 10,000 images would fill the memory with maps.
    assert [row.event["event"] for row in together].count("error") == 1 and "locked.png" in together[-1].event["error"]


def test_what_is_missing_or_misspelt_is_named(system, tmp_path):
    line = tmp_path / "line"
    line.mkdir()
    Image.new("L", (64, 64)).save(line / "black.png")
    with pytest.raises(FileNotFoundError, match="holds no system; train one with"):
        two_stage.main([str(tmp_path / "none"), "--inspect", str(line), "--out", str(tmp_path / "out")])
    with pytest.raises(ValueError, match="'train.steps=3' belongs to no stage; write surfaces.train.steps=3"):
        two_stage.main([str(tmp_path / "other"), "train.steps=3"])
    with pytest.raises(ValueError, match=r"--weights gone.pth: there is no such file"):
        two_stage.main([str(tmp_path / "other"), "--weights", "gone.pth"])
    with pytest.raises(ValueError, match="--detector dae tells no surfaces apart"):
        two_stage.main([str(tmp_path / "other"), "--detector", "dae"])
    half = tmp_path / "half"
    shutil.copytree(system, half)
    shutil.rmtree(half / "defects" / "Class3")
    with pytest.raises(FileNotFoundError, match="has no detector for surface Class3"):
        two_stage.main([str(half), "--inspect", str(line), "--out", str(tmp_path / "out")])
