"""Names as they are shown: nothing in them steers a terminal, a table or a page."""

import pytest

from data_pipeline.names import cells, plain, printable
from data_pipeline.record import PART, source
from tests.data_pipeline.folders import ids, load, mvtec, write_image

HOSTILE = {
    "a\x1b]0;PWN\x07\x1b[31m": r"a\x1b]0;PWN\x07\x1b[31m", "a\nnot read: b": r"a\nnot read: b", "a\rb": r"a\rb",
    "invoice\u202egnp": r"invoice\u202egnp", "bad\udcff\udcfe": r"bad\udcff\udcfe",
    "zero\u200bwidth": r"zero\u200bwidth",
    "\x9b31m": r"\x9b31m",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_steers_a_terminal_is_written_out(name):
    assert printable(name) == plain(name) == HOSTILE[name]
    assert printable(name).isprintable()


@pytest.mark.parametrize("name", ["Größe 3,5 mm (画像) [old] 50%.png", "crack/000", "C:\\x", "'quoted' \"twice\"", ""])
def test_other_names_stay_as_they_are(name):
    assert plain(name) == name


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(1)", "=cmd|' /C calc'!A0"])
def test_no_cell_of_a_table_is_a_formula(name):
    assert cells({"image": name, "score": -1.5, "kind": None}) == {"image": f"./{name}", "score": -1.5, "kind": None}


def test_images_of_hostile_names_are_divided_as_others_are(tmp_path):
    mvtec(tmp_path, good=0)
    for number, name in enumerate([*HOSTILE, "=1", "shot#1", "shot#2", "shot#3", "shot"]):
        write_image(tmp_path / f"train/good/{name}.png", height=20 + number)
    write_image(tmp_path / "test/\x1b[2Jkind#1/000.png")
    dataset = load("mvtec", tmp_path, allow_unmasked=True)
    found = [*ids(dataset.train), *ids(dataset.calibration)]
    assert len(found) == len(HOSTILE) + 5 and all(name.isprintable() for name in found)
    assert {f"train/good/{name}" for name in [*HOSTILE.values(), "shot#1", "shot#2"]} <= set(found)
    assert len({source(name) for name in found}) == len(found)
    assert r"\x1b[2Jkind#1" in {entry.kind for entry in dataset.test.records}
    assert source(f"train/good/shot#1{PART}turned90") == "train/good/shot#1"
