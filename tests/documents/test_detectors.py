"""docs/detectors.md says of every detector what its docstring says."""

import re
from pathlib import Path

import jaxdefect
from launch.command import choices
from launch.page import detector_table
from tests.launch.page.table_rows import rows_of

PAGE = (Path(__file__).parents[2] / "docs" / "detectors.md").read_text()


def test_the_page_of_the_house_is_of_all_detectors_there_are():
    (_, measured), (_, words) = rows_of(PAGE), rows_of(PAGE, 1)
    for name in jaxdefect.names():
        idea, source, use = detector_table.words_of(name)
        assert words[name][2:] == [idea, source] and measured[name][-1] == use
        assert words[name][1] == ", ".join(f"`{preset}`" for preset in choices.presets(name))


def test_the_six_rows_take_their_figures_from_the_table_below():
    top, measured = PAGE.partition("<!-- detectors")[0], rows_of(PAGE)[1]
    rows = [line.split(" | ") for line in top.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == 6
    for _, take, told, minutes in rows:
        for name in filter(measured.get, re.findall(r"`(\w+)`", take)):
            tiles, surfaces = measured[name][2], measured[name][5]
            shown = tiles if tiles != "–" else surfaces.partition("/ H ")[2]
            figures = re.findall(r"(?<!± )\.\d{3}", shown)
            assert figures and all(figure in told for figure in figures), name
            assert measured[name][-3] in minutes or name == "nearest_mean", name
