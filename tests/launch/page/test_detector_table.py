"""Every detector has a row that says what its docstring says."""

import jaxdefect
from launch.page import detector_table
from tests.launch.page.table_rows import rows_of


def test_every_detector_has_a_row_with_idea_needs_and_use():
    head, rows = rows_of(detector_table.written([]))
    assert list(rows) == jaxdefect.names() and head[-1] == "Use it"
    for row in rows.values():
        assert len(row) == len(head) and "–" not in (row[1], row[-1]) and row[-3:-1] == ["–", "–"]
    assert rows["patchcore"][3] == "normal images; no training" and rows["dae"][3] == "normal images"
    assert rows["segdec"][3] == "outlined defects" and rows["cnn_classifier"][3] == "labels: good or defective"
