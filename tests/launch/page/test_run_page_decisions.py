"""What a run's page says of decisions, of kinds of defect told apart and of boxes; and what it leaves out."""

import html as markup
import re

import numpy as np
import pytest

from jaxdefect.metrics.decisions import decision_report
from launch.page import images
from tests.launch.page.run_pages import EVIL, change_result, fabricate_run, page_of


def told(result):
    flagged, defective = np.array([0, 0, 1, 1, 0, 1], bool), np.array([0, 0, 0, 1, 1, 1], bool)
    result["figures"]["image"]["report"] = decision_report(defective, flagged)
    result["figures"]["kinds"] = {"accuracy": 0.5, "mean_recall": 0.4, "named": 0.667}
    result["figures"]["boxes"] = {"ap50": 0.243, "boxes": 5, "found": 3, "false_alarms": 2}
    result["kinds"] = {"names": ["good", "crack", EVIL], "confusion": [[2, 1, 0], [0, 1, 1], [0, 0, 1]]}


def cells(html, section):
    body = re.search(rf'<section id="{section}">(.*?)</section>', html, re.S)[1]
    text = lambda cell: markup.unescape(re.sub(r"<.*?>", "", cell).strip())
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.S)
    return [[text(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)] for row in rows]


def test_decisions_kinds_and_boxes_are_shown(tmp_path):
    fabricate_run(tmp_path / "run")
    change_result(tmp_path / "run", told)
    html = page_of(tmp_path / "run")
    decisions = cells(html, "decisions")
    assert decisions[1] == ["Good", "0.667", "0.667", "0.667", "3"]
    assert [row[0] for row in decisions[2:]] == ["Defective", "Average", "Average, weighted by images"]
    kinds = cells(html, "kinds-apart")
    assert [row[0] for row in kinds[1:]] == ["good", "crack", EVIL]
    assert kinds[1][1:] == ["2", "1", "0", "67 %"] and "<script>alert" not in html
    assert "Boxes AP50" in html and "3 of 5 defects found at the fitted threshold, 2 false boxes" in html


def test_a_run_without_them_has_no_such_sections(tmp_path):
    fabricate_run(tmp_path / "run")
    html = page_of(tmp_path / "run")
    assert 'id="decisions"' not in html and 'id="kinds-apart"' not in html and "Boxes AP50" not in html
    assert "show-boxes" not in html


def test_boxes_are_drawn_where_they_were_found(tmp_path):
    fabricate_run(tmp_path / "run", shown=2)
    path = tmp_path / "run" / "images" / "000.npz"
    arrays = dict(np.load(path)) | {"boxes": np.array([[2, 3, 8, 13, 0.75]], np.float32)}
    np.savez(path, **arrays)
    html = page_of(tmp_path / "run")
    drawn = re.findall(
        r'<rect class="boxes" x="(.*?)" y="(.*?)" width="(.*?)" height="(.*?)"><title>(.*?)</title>', html
    )
    assert drawn == [("3", "2", "10", "6", "0.75")] and "show-boxes" in html
    np.savez(path, **arrays | {"boxes": np.zeros((2, 4), np.float32)})
    with pytest.raises(ValueError, match="of each box it tells 4 sides and a score"):
        images.read_arrays(path)
    assert "images/000.npz is not shown: boxes has the shape (2, 4)" in page_of(tmp_path / "run")
