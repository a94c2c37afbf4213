"""Every detector has a row that says what its docstring says."""

import jaxdefect
from launch.page import detector_table
from tests.launch.page.table_rows import rows_of


def test_every_detector_has_a_row_with_idea_needs_and_use():
    head, rows = rows_of(detector_table.written([]))
    assert list(rows) == jaxdefect.names() and head[-1] == "Use it"
    for row in rows.values():
        assert len(row) == len(head) and row[-1] != "–" and row[-3:-1] == ["–", "–"]
    head, words = rows_of(detector_table.written([]), 1)
    assert list(words) == jaxdefect.names() and all(row[2] != "–" for row in words.values())
    assert rows["patchcore"][1] == "normal images; no training" and rows["dae"][1] == "normal images"
    assert rows["segdec"][1] == "outlined defects" and rows["cnn_classifier"][1] == "labels: good or defective"
