"""The tables of detectors: that of what was measured, from results; and the words of both, from docstrings."""

import json
import re

import pytest

import jaxdefect
from launch import tabulate
from launch.command import configuration
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
    """(page, README, the words of the command that names both). What is said of a detector is made up, and quick."""
    monkeypatch.setattr(detector_table, "needs", lambda name: f"needs of {name}")
    (tmp_path / "README.md").write_text(f"# A\n\nbefore\n\n{MARKS[0]}\n| old |\n{MARKS[1]}\n\nafter\n")
    page, readme = tmp_path / "docs" / "page.md", tmp_path / "README.md"
    page.parent.mkdir()
    return page, readme, ["--page", str(page), "--readme", str(readme)]


def test_runs_of_a_sweep_and_single_runs_are_averaged_over_seeds(tmp_path, pages):
    page, _, words = pages
    write(tmp_path / "sweep" / "runs" / "a")
    write(tmp_path / "sweep" / "runs" / "b", figures={"image": {"auroc": 0.9}, "pixel": {"auroc": None}})
    tile = RESULT["dataset"] | {"name": "mvtec", "root": "/somewhere/tile"}
    write(tmp_path / "run", detector="faster_rcnn", dataset=tile,
          figures={"image": {"auroc": 1.0}, "pixel": {"auroc": 0.5}, "boxes": {"ap50": 0.25}})  # fmt: skip
    tabulate.main([str(tmp_path / "sweep"), str(tmp_path / "run"), *words])
    head, rows = rows_of(page.read_text())
    assert head[4:8] == ["aitex", "tile", "Training, min", "ms an image"]
    assert rows["phot"][4:8] == [".850 ± .071 / .600", "–", "1.5", "12"]
    assert rows["faster_rcnn"][4:8] == ["–", "1.000 / .500 / boxes AP50 .250", "1.5", "12"]
    assert "- aitex: trained on 6 normal images, tested on 12 defective and 2 normal ones" in page.read_text()
    assert "/somewhere" not in page.read_text() and "on cpu, 2 CPU cores." in page.read_text()


def test_without_folders_the_words_are_renewed_and_what_was_measured_stays(tmp_path, pages):
    page, _, words = pages
    tabulate.main([str(write(tmp_path / "run")), *words])
    text = page.read_text()
    idea = detector_table.words_of("phot")[0]
    old = text.replace(idea, "An old idea")
    gone = re.sub(r"\| `dct`.*\n", "| `gone` | idea | source | needs | .1 / .2 | 1.0 | 3 | never |\n", old)
    page.write_text(gone + "| `phot`, levels | idea | source | needs | .3 / .4 | 2.0 | 5 | seldom |\n")
    tabulate.main(words)
    head, rows = rows_of(page.read_text())
    assert head == rows_of(text)[0] and rows["phot"][1] == idea and rows["phot"][4:] == rows_of(text)[1]["phot"][4:]
    assert "gone" not in rows and rows["dct"][4:7] == ["–", "–", "–"]
    assert "seldom" in page.read_text() and page.read_text().count("| `phot` |") == 1
    tabulate.main(words)
    assert rows_of(page.read_text()) == (head, rows)


def test_a_run_is_added_and_the_rest_stays(tmp_path, pages):
    page, _, words = pages
    tabulate.main([str(write(tmp_path / "run")), *words])
    before = rows_of(page.read_text())[1]
    tabulate.main(["--add", str(write(tmp_path / "other", detector="nsa")), *words])
    rows = rows_of(page.read_text())[1]
    assert rows["nsa"][4:7] == [".800 / .600", "1.5", "12"] and rows["phot"] == before["phot"]
    elsewhere = write(tmp_path / "elsewhere", dataset=RESULT["dataset"] | {"name": "nanotwice"})
    with pytest.raises(ValueError, match="no column for nanotwice, only aitex; .* without --add"):
        tabulate.main(["--add", str(elsewhere), *words])
    assert rows_of(page.read_text())[1] == rows


def test_the_readme_gets_the_table_of_all_detectors_between_its_marks(pages):
    page, readme, words = pages
    page.write_text(detector_table.written([]))
    tabulate.main(words)
    text = readme.read_text()
    assert text.startswith("# A\n\nbefore\n\n" + MARKS[0]) and text.endswith(MARKS[1] + "\n\nafter\n")
    assert "| old |" not in text
    _, rows = rows_of(text)
    assert list(rows) == jaxdefect.names()
    for name, row in rows.items():
        assert row[1] == ", ".join(f"`{preset}`" for preset in configuration.presets(name))
        assert row[2:] == list(detector_table.words_of(name)[:2])


def test_a_readme_without_a_place_for_the_table_is_refused_and_neither_file_is_written(pages):
    page, readme, words = pages
    page.write_text(detector_table.written([]).replace("Detectors", "Old"))
    before = page.read_text()
    readme.write_text("# A\n")
    with pytest.raises(ValueError, match="the README has no place for the table of detectors; put"):
        tabulate.main(words)
    assert readme.read_text() == "# A\n" and page.read_text() == before


def test_a_page_without_a_table_is_refused(pages):
    page, _, words = pages
    page.write_text("# Detectors\n")
    with pytest.raises(ValueError, match="the page has no table of detectors; write it from results: launch.tabulate"):
        tabulate.main(words)


def test_a_folder_without_results_is_named_and_no_page_is_written(tmp_path, pages):
    page, _, words = pages
    with pytest.raises(FileNotFoundError, match="holds no result, neither result.json nor runs"):
        tabulate.main([str(tmp_path), *words])
    assert not page.exists()
