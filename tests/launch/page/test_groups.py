"""Groups of settings stand side by side."""

from launch.page.groups import groups
from tests.launch.page.sweep_pages import ALPHA, FIGURES, fabricate, page_of, words_of


def test_groups_of_settings_stand_side_by_side(tmp_path):
    results = fabricate(("technique", ["typical: filter", "deep: network", "deep: other"], None))
    results |= {"groups": "technique", "fixed": {"images": "fabric"}}
    for cell in results["cells"]:
        cell["paper"] = {}
    results["cells"][1]["paper"] = {"pixel.f1": 0.93}
    results["unfilled"] = [
        {"at": {"images": "rail", "technique": "deep: net"}, "figure": "pixel.f1", "value": 0.92, "why": "none"},
        # A setting that is here, but whose runs have no such figure, is no second entry.
        {"at": {"images": "fabric", "technique": "typical: filter"}, "figure": "pixel.f1", "value": 0.4, "why": "no"},
    ]
    found = groups(results, FIGURES[0])
    assert found["heads"] == ["typical", "deep"] and [label for label, _ in found["rows"]] == ["fabric", "rail"]
    (filters, networks), (none, published) = (row for _, row in found["rows"])
    assert [entry["name"] for entry in filters] == ["filter"] and none == []
    assert [(entry["best"], entry["paper"]) for entry in networks] == [(False, 0.93), (True, None)]
    assert published == [{"name": "net", "mean": None, "std": None, "paper": 0.92, "best": False}]
    assert groups(fabricate(ALPHA), FIGURES[0]) is None
    words = words_of(page_of(results, tmp_path))
    assert "Images Typical Deep fabric filter 0.520" in words and "rail – net 0.920" in words
    assert "Side by side" not in words_of(page_of(fabricate(ALPHA), tmp_path))
