"""The system of two stages, from training to events, at tiny size."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from data_pipeline.layouts import synthetic
from launch import train, two_stage
from launch.command import configuration as configs
from launch.run import pipeline
from launch.run.data import open_data
from launch.run.prediction import detect_image, each
from launch.run.trained import load_run, make_detector
from launch.sweeping import sharing, spec

SMALL = (
    "surfaces.data.options.surfaces=(1,3,6)", "surfaces.data.unseen=Class6,", "surfaces.data.options.train=6",
    "surfaces.data.options.train_defective=6", "defects.train.steps=10", "surfaces.train.steps=10",
)  # fmt: skip
PRESETS = ("--preset", "tiny", "--defect-preset", "tiny")


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """The folder of a trained system."""
    folder = tmp_path_factory.mktemp("two") / "system"
    two_stage.main([str(folder), *PRESETS, *SMALL])
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
        assert event["mask"] is None or (system / event["mask"]).is_file()


def test_the_result_adds_up_and_the_page_is_there(system):
    result, events = json.loads((system / "result.json").read_text()), events_of(system)
    alarms = [event["event"] == "unseen" for event in events]
    unseen = [event["true_surface"] == "Class6" for event in events]
    assert result["figures"]["alarm_on_unseen"] == np.mean([a for a, u in zip(alarms, unseen, strict=True) if u])
    assert sum(map(sum, result["surfaces"]["confusion"])) == 12
    assert sum(row["images"] for row in result["by_surface"].values()) == 12
    assert set(result["curves"]) == {"Class1", "Class3"}
    assert all(value > 0 for value in result["timings"].values())
    assert (system / "report.html").stat().st_size > 10000


def test_finished_runs_are_not_trained_again(system, capsys, monkeypatch):
    monkeypatch.setattr(pipeline, "train", lambda *about: pytest.fail("trained again"))
    before = events_of(system)
    two_stage.main([str(system), *PRESETS, *SMALL])
    again = events_of(system)
    assert [(e["id"], e["event"], e["score"]) for e in again] == [(e["id"], e["event"], e["score"]) for e in before]


def test_a_folder_of_mixed_images_is_judged_and_broken_ones_are_named(system, tmp_path):
    folder = tmp_path / "line"
    folder.mkdir()
    for surface in (1, 3, 6):
        image, _ = synthetic.draw(surface, "test", 1, 99, size=(64, 96))
        Image.fromarray(image[..., 0]).save(folder / f"{surface}.png")
    (folder / "cut.png").write_bytes((folder / "1.png").read_bytes()[:200])
    two_stage.main([str(system), "--inspect", str(folder), "--out", str(tmp_path / "out")])
    events = events_of(tmp_path / "out")
    assert [event["id"] for event in events] == ["1.png", "3.png", "6.png", "cut.png"]
    assert [event["event"] == "error" for event in events] == [False, False, False, True]
    assert "cut.png" in events[-1]["error"]
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert len(result["distances"]["all"]) == 3 and "1 of 4 images" in result["warnings"][0]
    assert (tmp_path / "out" / "report.html").is_file()


def test_what_is_missing_or_misspelt_is_named(system, tmp_path):
    line = tmp_path / "line"
    line.mkdir()
    Image.new("L", (64, 64)).save(line / "black.png")
    with pytest.raises(FileNotFoundError, match="holds no system; train one with"):
        two_stage.main([str(tmp_path / "none"), "--inspect", str(line), "--out", str(tmp_path / "out")])
    with pytest.raises(ValueError, match="'train.steps=3' belongs to no stage; write surfaces.train.steps=3"):
        two_stage.main([str(tmp_path / "other"), "train.steps=3"])
    with pytest.raises(ValueError, match="--detector dae tells no surfaces apart"):
        two_stage.main([str(tmp_path / "other"), "--detector", "dae"])
    half = tmp_path / "half"
    shutil.copytree(system, half)
    shutil.rmtree(half / "defects" / "Class3")
    with pytest.raises(FileNotFoundError, match="has no detector for surface Class3"):
        two_stage.main([str(half), "--inspect", str(line), "--out", str(tmp_path / "out")])


def test_a_run_of_another_version_says_so():
    config = configs.get("sbad", "tiny")
    del config.settings.steps
    with pytest.raises(ValueError, match="settings.steps is missing for sbad; a run of another version"):
        make_detector(config)


def test_a_table_without_a_row_for_a_surface_is_refused(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("class,dark,round\nClass1,1,0\nClass2,0,1\n")
    with pytest.raises(
        ValueError, match="no row for surface 'Class10' and 7 more; it has Class1, Class2.*--attributes"
    ):
        train.main(
            ["--detector", "sbad", "--preset", "tiny", "--attributes", str(table), "--workdir", str(tmp_path / "r")]
        )


def test_features_on_disk_score_as_the_images_do_and_serve_all_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXDEFECT_CACHE", str(tmp_path / "cache"))
    common = ["--detector", "nearest_mean", "--preset", "tiny", "settings.backbone_steps=0", "data.per_kind=4"]
    train.main([*common, "--workdir", str(tmp_path / "one")])
    (kept,) = (tmp_path / "cache" / "features").iterdir()
    written = kept.stat().st_mtime_ns
    train.main([*common, "data.unseen=Class1,Class2", "seed=1", "--workdir", str(tmp_path / "two")])
    assert kept.stat().st_mtime_ns == written or len(list(kept.parent.iterdir())) == 1
    run = load_run(tmp_path / "one")
    data = open_data(run.config)
    split = data.seen.test.part(range(5))
    cached = [found.score for found in each(run, data, split)]
    whole = [detect_image(run, s.image, s.image.shape[:2], tiles=None, level=None, min_area=0).score for s in split]
    np.testing.assert_allclose(cached, whole, rtol=1e-3)
    kept.write_bytes(kept.read_bytes()[:100])  # Damaged: made anew.
    np.testing.assert_allclose([found.score for found in each(run, data, split)], cached, rtol=1e-5)


@pytest.mark.parametrize("name", ["sbad_tables", "unseen_pairs", "segdec_table6", "segdec_masks"])
def test_the_sweeps_of_the_two_stages_expand(name):
    found = spec.read(name, quick=name != "unseen_pairs")
    assert len(found.runs) == {"sbad_tables": 30, "unseen_pairs": 270, "segdec_table6": 3, "segdec_masks": 15}[name]


@pytest.mark.parametrize("detector", ["segdec", "sbad"])
def test_runs_with_labels_are_compared_by_what_their_steps_compute(detector):
    one, other = (configs.get(detector, "tiny") for _ in range(2))
    other.threshold.sigma = 2.0
    assert sharing.same_training(one, other)
    other.settings.update({"dilate": 5} if detector == "segdec" else {"embedding": "real"})
    assert not sharing.same_training(one, other)


def test_images_of_unseen_surfaces_are_shown_to_the_oracle_alone():
    opened, shown = sharing.Opened(), {}
    for mode in ("A", "oracle"):
        config = configs.get("sbad", "tiny")
        configs.override(config, [f"settings.mode={mode}", "settings.backbone_steps=0", "data.per_kind=4"])
        source = opened.feed(config, opened.data(config))
        shown[mode] = set(np.asarray(source.inputs(0)["surface"])[np.asarray(source.inputs(0)["label"]) == 1].tolist())
    known = list(configs.get("sbad", "tiny").settings.attributes)
    assert shown == {"A": set(), "oracle": {known.index("Class8"), known.index("Class10")}}
