"""What pages say of surfaces that were told apart, and the page of the two-stage system; with a browser and without."""

import json
import re

import numpy as np
import pytest

from launch.page import surfaces, system_page
from tests.drilled import drilled
from tests.launch.page.browser import browser, play
from tests.launch.page.run_pages import EVIL, change_result, data_of, page_of
from tests.launch.page.surface_pages import (
    NAMES,
    UNSEEN,
    fabricate_surfaces,
    fabricate_system,
    routed_counts,
    spoil,
    tiles,
    told_apart,
    visible,
)


def matrix(page):
    """{surface: [(count, right?)]} and the titles of the columns."""
    table = re.search(r'<table class="matrix".*?</table>', page, re.S)[0]
    head, *rows = re.findall(r"<tr>(.*?)</tr>", table, re.S)
    cells = {
        re.search(r'"row">(\w+)', row)[1]: [
            (int(count), kind == "right") for kind, count in re.findall(r'<td class="(right|wrong)[^>]*>(\d+)<', row)
        ]
        for row in rows
    }
    return cells, re.findall(r"<th[^>]*>([^<]*)<", head)


def test_a_run_that_tells_surfaces_apart_leads_with_its_own_figures(tmp_path):
    fabricate_surfaces(tmp_path / "run")
    page = page_of(tmp_path / "run")
    assert tiles(page) == {"Seen, S": "0.950", "Unseen, U": "0.875", "Harmonic mean, H": "0.911", "AUROC": "0.911"}
    change_result(tmp_path / "run", lambda result: result["figures"]["surfaces"].update(zero_shot=0.7))
    assert tiles(page_of(tmp_path / "run"))["Zero-shot, ZSL"] == "0.700"


def test_its_words_are_of_surfaces_and_not_of_defects(tmp_path):
    fabricate_surfaces(tmp_path / "run")
    page = page_of(tmp_path / "run")
    # Fields of a config are called what they are called.
    facts = r'<section class="facts"><h3>Settings.*?</section>'
    words = visible(re.sub(facts, "", page, flags=re.S))
    for said in ("called unseen", "is seen", "Threshold τ", "tested on 3 of unseen surfaces", "raised the alarm"):
        assert said in words
    assert not re.search(r"\bgood\b(?!/)|defective|normal|Pixel", words)
    assert {row[1] for row in data_of(page)["rows"]} == {"seen surfaces", *UNSEEN}
    assert set(re.findall(r'data-kind="([^"]*)"', page)) <= set(NAMES)


def test_the_matrix_outlines_what_is_right():
    counts = routed_counts()
    counts[4] = 0  # No image of Class5 was tested.
    shown = surfaces.routing(told_apart(counts), named=False)
    assert [row["name"] for row in shown["rows"]] == [name for name in NAMES if name != "Class5"]
    columns = [column["name"] for column in shown["columns"]]
    assert columns == [*(name for name in NAMES if name not in [*UNSEEN, "Class5"]), "alarm"]
    for row in shown["rows"]:
        right = [column for column, cell in zip(columns, row["cells"], strict=True) if cell["right"]]
        assert right == ["alarm" if row["unseen"] else row["name"]] and row["unseen"] == (row["name"] in UNSEEN)
        assert sum(cell["share"] for cell in row["cells"]) == pytest.approx(1)


def test_a_method_that_names_unseen_surfaces_is_right_where_it_does():
    counts = np.diag([7] * 10).tolist()
    shown = surfaces.routing(told_apart([[*row, 0] for row in counts]), named=True)
    assert [column["name"] for column in shown["columns"]] == NAMES  # It never raises the alarm.
    assert all(row["right"] == row["images"] == 7 for row in shown["rows"])


def test_the_matrix_of_the_page_holds_the_counts(tmp_path):
    fabricate_surfaces(tmp_path / "run")
    cells, columns = matrix(page_of(tmp_path / "run"))
    assert list(cells) == NAMES and columns[0] == "surface" and columns[-2:] == ["alarm", "right"]
    assert cells["Class1"][0] == (57, True) and cells["Class8"][-1] == (48, True) and cells["Class8"][3] == (3, False)


def test_both_vectors_of_attributes_have_unit_length_and_one_scale():
    told = told_apart(routed_counts())
    found = surfaces.attributes(told)
    for name, pair in found["data"]["surfaces"].items():
        assigned, predicted = np.array(told["attributes"]["assigned"][name]), np.array(pair["predicted"])
        np.testing.assert_allclose(pair["assigned"], assigned / np.linalg.norm(assigned))
        assert np.linalg.norm(predicted) == pytest.approx(1)
        assert pair["likeness"] == pytest.approx(assigned @ predicted / np.linalg.norm(assigned))
    drawn = [value for pair in found["data"]["surfaces"].values() for value in pair["assigned"] + pair["predicted"]]
    assert found["data"]["domain"] == [min(drawn), max(drawn)] and min(drawn) < 0
    assert [title for title, _ in found["groups"]][:2] == ["defect colour", "background colour"]
    assert found["groups"][0][1] == [(0, "white"), (1, "black")] and found["first"] == "Class8"


def test_attributes_of_one_kind_or_of_zeros_are_drawn_as_they_are():
    said = {"names": ["plain", "a: b"], "assigned": {"x": [0, 0]}, "predicted": {"y": [3.0, 4.0]}}
    found = surfaces.attributes({"attributes": said})
    assert found["data"]["surfaces"]["x"] == {"assigned": [0.0, 0.0], "predicted": None, "likeness": None}
    assert found["data"]["surfaces"]["y"]["predicted"] == [0.6, 0.8]
    assert found["groups"] == [("", [(0, "plain")]), ("a", [(1, "b")])]


DAMAGE = [
    ("confusion", lambda told: told["confusion"].pop()),
    ("confusion", lambda told: told["confusion"][0].pop()),
    ("confusion", lambda told: told.pop("names")),
    ("attributes", lambda told: told["attributes"]["predicted"]["Class1"].pop()),
    ("attributes", lambda told: told["attributes"]["assigned"].update(Class1=[None] * 29)),
]


@pytest.mark.parametrize("lost, damage", DAMAGE)
def test_damaged_surfaces_are_said_and_cost_only_themselves(tmp_path, lost, damage):
    fabricate_surfaces(tmp_path / "run")
    change_result(tmp_path / "run", lambda result: damage(result["surfaces"]))
    page = page_of(tmp_path / "run")
    assert f"surfaces.{lost} of result.json is damaged" in page
    shown = {"confusion": 'class="matrix"' in page, "attributes": 'id="attributes"' in page}
    assert shown == {name: name != lost for name in shown}


def test_names_of_surfaces_cannot_become_markup(tmp_path):
    fabricate_surfaces(tmp_path / "run")
    rename = lambda result: json.loads(json.dumps(result).replace("Class8", json.dumps(EVIL)[1:-1]))
    change_result(tmp_path / "run", lambda result: result.update(rename(result)))
    change_result(tmp_path / "run", lambda result: result["surfaces"]["attributes"]["names"].__setitem__(0, EVIL))
    page = page_of(tmp_path / "run")
    assert page.count("<script") == 2 and "<script>alert" not in page and 'onload="x"' not in page
    assert EVIL in data_of(page)["attributes"]["surfaces"]


CHOOSE = """const bars = () => all(".attribute .track i").filter((bar) => !bar.hidden).map((bar) => bar.style.width);
    const before = bars(), told = text("#likeness");
    enter("#attribute-surface", CHOSEN, "change");
    return [before, bars(), [told, text("#likeness")]];"""


@browser
def test_bars_follow_the_chosen_surface(tmp_path):
    fabricate_surfaces(tmp_path / "run")
    before, after, told = play(tmp_path / "run", CHOOSE.replace("CHOSEN", '"Class2"'))
    assert len(before) == len(after) == 2 * 29 and before != after and told[0] != told[1]
    found = surfaces.attributes(told_apart(routed_counts()))["data"]
    low, high = found["domain"]
    widths = [100 * abs(value) / (high - low) for value in found["surfaces"]["Class2"]["assigned"]]
    np.testing.assert_allclose([float(width[:-1]) for width in after[::2]], widths, atol=0.006)


@browser
@pytest.mark.parametrize("width", [400, *drilled(1280)])
def test_no_page_of_surfaces_fails_or_scrolls_sideways(tmp_path, width):
    steps = """const empty = () => all(".chart").filter((chart) => !chart.children.length).length;
    await until(() => !empty());
    return [innerWidth, document.documentElement.scrollWidth, empty(), all("script").length];"""
    fabricate_surfaces(tmp_path / "run")
    assert play(tmp_path / "run", steps, width=width) == [width, width, 0, 4]
    fabricate_system(tmp_path / "system", images=6)
    spoil(tmp_path / "system")
    assert play(tmp_path / "system", steps, width=width, write=system_page.write_page) == [width, width, 0, 4]
