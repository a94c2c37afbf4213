"""docs/detectors.md says of every detector what its docstring says."""

from pathlib import Path

import jaxdefect
from launch.page import detector_table
from tests.launch.page.table_rows import rows_of


def test_the_page_of_the_house_is_of_all_detectors_there_are():
    _, rows = rows_of((Path(__file__).parents[2] / "docs" / "detectors.md").read_text())
    for name in jaxdefect.names():
        assert rows[name][1] == detector_table.words_of(name)[0] and rows[name][-1] == detector_table.words_of(name)[2]
