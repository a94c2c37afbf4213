"""The tables of detectors: that of what was measured, from results; and that of words, from docstrings."""

import json
import re

import pytest

import jaxdefect
from launch import tabulate
from launch.command import choices
from launch.page import detector_table
from launch.page.detector_table import MARKS
from tests.launch.page.table_rows import rows_of

RESULT = {
    "detector": "phot",
    "dataset": {"name": "aitex", "root": "", "counts": {"train": 6, "test_good": 2, "test_defective": 12}},
    "figures": {"image": {"auroc": 0.8}, "pixel": {"auroc": 0.6}}, "thresholds": {},
    "timings": {"train_s": 90.0, "score_ms_per_image": 12.4}, "hardware": {"device": "cpu", "cpu_cores": 2},
}  # fmt: skip


def write(folder, **changes):
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps(RESULT | changes))
    return folder


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """(page, the words of the command that name it). What is said of a detector is made up, and quick."""
    monkeypatch.setattr(detector_table, "needs", lambda name: f"needs of {name}")
    page = tmp_path / "page.md"
    page.write_text(f"# A\n\nbefore\n\n{MARKS[0]}\n| old |\n{MARKS[1]}\n\nafter\n")
    return page, ["--page", str(page)]


def test_runs_of_a_sweep_and_single_runs_are_averaged_over_seeds(tmp_path, pages):
    page, words = pages
    write(tmp_path / "sweep" / "runs" / "a")
    write(tmp_path / "sweep" / "runs" / "b", figures={"image": {"auroc": 0.9}, "pixel": {"auroc": None}})
    tile = RESULT["dataset"] | {"name": "mvtec", "root": "/somewhere/tile"}
    write(tmp_path / "run", detector="faster_rcnn", dataset=tile,
          figures={"image": {"auroc": 1.0}, "pixel": {"auroc": 0.5}, "boxes": {"ap50": 0.25}})  # fmt: skip
    tabulate.main([str(tmp_path / "sweep"), str(tmp_path / "run"), *words])
    head, rows = rows_of(page.read_text())
    assert head[2:6] == ["aitex", "tile", "Training, min", "ms an image"]
    assert rows["phot"][2:6] == [".850 ± .071 / .600", "–", "1.5", "12"]
    assert rows["faster_rcnn"][2:6] == ["–", "1.000 / .500 / boxes AP50 .250", "1.5", "12"]
    assert "- aitex: trained on 6 normal images, tested on 12 defective and 2 normal ones" in page.read_text()
    assert "/somewhere" not in page.read_text() and "on cpu, 2 CPU cores." in page.read_text()


def test_without_folders_the_words_are_renewed_and_what_was_measured_stays(tmp_path, pages):
    page, words = pages
    tabulate.main([str(write(tmp_path / "run")), *words])
    text = page.read_text()
    idea = detector_table.words_of("phot")[0]
    old = text.replace(idea, "An old idea")
    gone = re.sub(r"\| `dct`.*\n", "| `gone` | needs | .1 / .2 | 1.0 | 3 | never |\n", old, count=1)
    variant = "| `phot`, levels | needs | .3 / .4 | 2.0 | 5 | seldom |\n"
    page.write_text(
        gone.replace("\n\n## What", f"\n{variant}\n## What").replace(
            MARKS[1], f"| `phot`, levels | – | an idea | a source |\n{MARKS[1]}"
        )
    )
    tabulate.main(words)
    head, rows = rows_of(page.read_text())
    assert head == rows_of(text)[0] and rows["phot"] == rows_of(text)[1]["phot"]
    words_now = rows_of(page.read_text(), 1)[1]
    assert words_now["phot"][2] == idea and words_now["phot`, levels"][2:] == ["an idea", "a source"]
    assert "gone" not in rows and rows["dct"][2:5] == ["–", "–", "–"]
    assert "seldom" in page.read_text() and page.read_text().count("| `phot` |") == 2
    tabulate.main(words)
    assert rows_of(page.read_text()) == (head, rows)


@pytest.mark.parametrize("new, old, together", [
    ([".9", "–", "2.0", "7"], [".8", ".7", "1.0", "5"], [".9", ".7", "1.0", "5"]),
    ([".9", ".6", "2.0", "7"], [".8", ".7", "1.0", "5"], [".9", ".6", "2.0", "7"]),
    ([".9", "–", "2.0", "7"], [".8", "–", "1.0", "5"], [".9", "–", "2.0", "7"]),
    ([".9", "–", "2.0", "7"], ["–", ".7", "–", "–"], [".9", ".7", "2.0", "7"]),
    (["–", "–", "–", "–"], [".8", ".7", "1.0", "5"], [".8", ".7", "1.0", "5"]),
])  # fmt: skip
def test_times_are_new_where_every_figure_is(new, old, together):
    """They are means over all sets of a row."""
    assert detector_table.merged(new, old) == together


def test_a_run_is_added_and_the_rest_stays(tmp_path, pages):
    page, words = pages
    tabulate.main([str(write(tmp_path / "run")), *words])
    before = rows_of(page.read_text())[1]
    tabulate.main(["--add", str(write(tmp_path / "other", detector="nsa")), *words])
    rows = rows_of(page.read_text())[1]
    assert rows["nsa"][2:5] == [".800 / .600", "1.5", "12"] and rows["phot"] == before["phot"]
    elsewhere = write(tmp_path / "elsewhere", dataset=RESULT["dataset"] | {"name": "nanotwice"})
    with pytest.raises(ValueError, match="no column for nanotwice, only aitex; .* without --add"):
        tabulate.main(["--add", str(elsewhere), *words])
    assert rows_of(page.read_text())[1] == rows


def test_what_each_does_stands_between_the_marks_and_the_rest_of_the_page_stays(tmp_path, pages):
    page, words = pages
    tabulate.main([str(write(tmp_path / "run")), *words])
    text = page.read_text()
    assert text.startswith("# A\n\nbefore\n\n" + MARKS[0]) and text.endswith(MARKS[1] + "\n\nafter\n")
    assert "| old |" not in text
    _, rows = rows_of(text, 1)
    assert list(rows) == jaxdefect.names()
    for name, row in rows.items():
        assert row[1] == ", ".join(f"`{preset}`" for preset in choices.presets(name))
        assert row[2:] == list(detector_table.words_of(name)[:2])


def test_a_page_without_a_place_for_the_tables_is_refused_and_stays(tmp_path, pages):
    page, words = pages
    page.write_text("# A\n")
    with pytest.raises(ValueError, match="the page has no place for the tables of detectors; put"):
        tabulate.main([str(write(tmp_path / "run")), *words])
    assert page.read_text() == "# A\n"


def test_a_page_without_tables_is_refused(pages):
    page, words = pages
    before = page.read_text()
    with pytest.raises(ValueError, match="no tables of detectors between its marks; write them from results: launch"):
        tabulate.main(words)
    assert page.read_text() == before


def test_a_folder_without_results_is_named_and_no_page_is_written(tmp_path, pages):
    page, words = pages
    with pytest.raises(FileNotFoundError, match="holds no result, neither result.json nor runs"):
        tabulate.main([str(tmp_path), *words])
    assert "| old |" in page.read_text()
