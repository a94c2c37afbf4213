"""The command that sets runs side by side: figures, links, images, and what it refuses."""

import json
import re

import pytest

from launch import compare
from launch.sweeping.compared import collect, names_of
from tests.launch.page.run_pages import EVIL, change_result, fabricate_run
from tests.launch.page.sweep_pages import data_of, words_of


@pytest.fixture
def runs(tmp_path):
    """Three evaluated runs of two detectors; the first two were tested on the same images."""
    folders = [tmp_path / name for name in ("a/run", "b/run", "other")]
    for place, folder in enumerate(folders):
        fabricate_run(folder, kinds=("good", "good", "good", "crack", "crack", "stain")[: 6 - (place == 2)])
        figures = {"image": {"auroc": 0.7 + place / 10, "misses": place}, "pixel": {"ap": 0.3 + place / 10}}
        change_result(folder, lambda result, new=figures: result["figures"].update(new))
        change_result(folder, lambda result, place=place: result.update(detector=("dct", "dae", "dae")[place]))
        (folder / "report.html").write_text("")
    return folders


def test_runs_of_any_detectors_stand_in_one_table(runs, tmp_path):
    page = compare.main([*map(str, runs), "--out", str(tmp_path / "pages" / "all.html")])
    html = page.read_text(encoding="utf-8")
    assert page == tmp_path / "pages" / "all.html" and not list(tmp_path.rglob("sweep.html"))
    rows = re.findall(r"<tr>(<th scope=\"row\" data-sort.*?)</tr>", html.split('class="rows sortable beside"')[1], re.S)
    cells = [[words_of(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)] for row in rows]
    assert [row[:3] for row in cells[:3]] == [["a/run dct", "0.300", "0"], ["b/run dae", "0.400", "1"],
                                              ["other dae †", "0.500", "2"]]  # fmt: skip
    assert "Pixel average precision is best with b/run ." in words_of(html)  # other was tested on other images.
    assert re.findall(r'href="(\.\./[^"]*)"', html)[:3] == ["../a/run/report.html", "../b/run/report.html",
                                                           "../other/report.html"]  # fmt: skip
    assert "a/run: only 6 calibration images" in html and "python -m launch.compare" in words_of(html)


def test_of_runs_that_were_all_tested_on_other_images_none_is_best(runs, tmp_path):
    said = words_of(compare.main([*map(str, runs[1:]), "--out", str(tmp_path / "page.html")]).read_text())
    assert "Each of these was tested on other images, so none is called the best." in said
    assert "is best with" not in said and "Best Pixel" not in said


def test_the_same_image_is_shown_under_each_run(runs, tmp_path):
    html = compare.main([*map(str, runs[:2]), "--out", str(tmp_path / "page.html")]).read_text(encoding="utf-8")
    images = data_of(html)["images"]
    assert len(images) == 4 and all(set(image["thumbnails"]) == {"0", "1"} for image in images)


def test_runs_go_by_the_shortest_names_that_differ(tmp_path):
    assert names_of([tmp_path / "a" / "x", tmp_path / "b"]) == ["x", "b"]
    assert names_of([tmp_path / "a" / "x", tmp_path / "b" / "x", tmp_path / "c"]) == ["a/x", "b/x", "c"]


def test_names_cannot_become_markup(runs, tmp_path):
    for folder in runs:
        change_result(folder, lambda result: result.update(detector=EVIL, warnings=[EVIL]))
        change_result(folder, lambda result: result["dataset"].update(name=EVIL, root=EVIL))
    html = compare.main([*map(str, runs), "--out", str(tmp_path / "page.html")]).read_text(encoding="utf-8")
    assert html.count("<script") == 2 and "<script>alert" not in html and 'onload="x"' not in html


def test_what_is_no_evaluated_run_is_named_with_the_remedy(runs, tmp_path):
    first = runs[0]
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "sweep.json").write_text("{}")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.json").write_text("{}")
    (tmp_path / "system" / "surfaces").mkdir(parents=True)
    (tmp_path / "system" / "surfaces" / "config.json").write_text("{}")
    (runs[1] / "result.json").write_text(json.dumps({"detector": "dct"}))
    for other, message in (
        (tmp_path, "is no run: it has no config.json"),
        (tmp_path / "sweep", "is a sweep.*give its runs"),
        (tmp_path / "system", "two-stage system; give its runs"),
        (tmp_path / "begun", "was not evaluated.*launch.evaluate"),
        (runs[1], "result.json lacks dataset.*run python -m launch.evaluate"),
        (first, "given twice"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            compare.main([str(first), str(other), "--out", str(tmp_path / "page.html")])
    with pytest.raises(ValueError, match="two runs or more"):
        collect([first])
    assert not (tmp_path / "page.html").exists()
