"""The page of the two-stage system: what it judges, orders and counts, what it lacks; with a browser and without."""

import json
import re

import pytest

from launch.page import system_page as pages
from tests.launch.page.browser import browser, play
from tests.launch.page.run_pages import EVIL, change_result, data_of
from tests.launch.page.surface_pages import TAU, fabricate_system, spoil, tiles, visible


def system_page(folder):
    return pages.write_page(folder).read_text(encoding="utf-8")


def test_the_flow_of_the_system_counts_every_image_once(tmp_path):
    events = fabricate_system(tmp_path / "system")
    flow = data_of(system_page(tmp_path / "system"))["flow"]
    assert flow["images"] == len(events) == flow["alarms"] + flow["routed"] + flow["errors"]
    assert flow["routed"] == flow["defects"] + flow["passed"] and flow["alarms"] > 0 < flow["defects"]


def test_the_worst_images_of_the_system_lead(tmp_path):
    events = {event["id"]: event for event in fabricate_system(tmp_path / "system", shown=20)}
    page = system_page(tmp_path / "system")
    shown = re.findall(r'<article [^>]*data-id="([^"]*)"[^>]* data-outcome="([^"]*)"', page)
    places = [list(pages.OUTCOMES).index(outcome) for _, outcome in shown]
    assert len(shown) > 20 and places == sorted(places) and shown[0][1] == "missed unseen"
    missed = [events[id]["defect_score"] for id, outcome in shown if outcome == "missed defect"]
    false = [events[id]["defect_score"] for id, outcome in shown if outcome == "false alarm"]
    assert missed == sorted(missed) and false == sorted(false, reverse=True) and len(missed) > 1 < len(false)


def test_the_system_leads_with_its_figures(tmp_path):
    fabricate_system(tmp_path / "system")
    page = system_page(tmp_path / "system")
    figures = json.loads((tmp_path / "system" / "result.json").read_text())["figures"]
    assert tiles(page) == {
        "Alarm on unseen": f"{figures['alarm_on_unseen']:.3f}", "Routing on seen": f"{figures['routing']:.3f}",
        "AP after routing": f"{figures['ap']:.3f}", "Product": f"{figures['product']:.3f}",
        "Missed": str(figures["misses"]), "False alarms": str(figures["false_alarms"]),
    }  # fmt: skip
    assert page.count("data-surface=") == 8 and "<dt>images per s</dt><dd>61</dd>" in page
    assert f"τ = <b>{TAU}</b>" in page


def test_images_without_labels_have_counts_and_no_figures(tmp_path):
    fabricate_system(tmp_path / "system", labelled=False)
    page = system_page(tmp_path / "system")
    assert list(tiles(page)) == ["Images", "Alarms", "Defects", "Passed"] and 'id="surfaces"' not in page
    assert "alarms first" in visible(page) and not re.search(r"missed|wrongly|false alarm", visible(page), re.I)


def strip_result(folder, *names):
    path = folder / "result.json"
    result = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in result.items() if name not in names}))


def only_an_empty_result(folder):
    (folder / "result.json").write_text("{}")
    for name in ("events.jsonl", "images/index.json"):
        (folder / name).unlink()


def nulls(folder):
    names = ("figures", "by_surface", "curves", "distances", "surfaces", "threshold", "unseen", "dataset", "warnings")
    (folder / "result.json").write_text(json.dumps(dict.fromkeys(names)))


def updating(**values):
    return lambda folder: change_result(folder, lambda result: result.update(values))


GAPS = {
    "only an empty result": only_an_empty_result,
    "nulls": nulls,
    "no events": lambda folder: (folder / "events.jsonl").write_text(""),
    "no figures": lambda folder: strip_result(folder, "figures", "by_surface", "curves", "distances", "timings"),
    "empty lists": updating(
        distances={"seen": [], "unseen": [0.5]}, curves={"Class1": []}, unseen=[], by_surface={"Class1": None}
    ),
    "one surface": updating(
        surfaces={"names": ["Class1"], "unseen": [], "confusion": [[4, 0]]}, curves={"Class1": [[0, 1]]}
    ),
}


@pytest.mark.parametrize("gap", GAPS)
def test_what_the_system_lacks_leaves_the_rest(tmp_path, gap):
    fabricate_system(tmp_path / "system", images=3, shown=3)
    GAPS[gap](tmp_path / "system")
    page = system_page(tmp_path / "system")
    data_of(page)
    assert "<h2>Run</h2>" in page and not re.search(r"\b(None|nan|null|undefined)\b", visible(page))


def test_broken_events_are_counted_and_a_broken_result_is_one_clear_error(tmp_path):
    fabricate_system(tmp_path / "system", images=3, shown=0)
    with (tmp_path / "system" / "events.jsonl").open("a") as file:
        file.write('{"id": "half\n[1]\n\n{"id": "x", "event": "unheard of"}\n')
        file.write('{"id": "x", "event": "passed"}\n{"id": "x", "event": "passed", "outcome": "unheard of"}\n')
    page = system_page(tmp_path / "system")
    assert "unreadable lines left out: 5." in page and data_of(page)["flow"]["images"] == 30
    for text, message in (("{", "not valid JSON"), ("[]", "an object is asked for")):
        (tmp_path / "system" / "result.json").write_text(text)
        with pytest.raises(ValueError, match=f"result.json.*{message}"):
            pages.write_page(tmp_path / "system")
    assert (tmp_path / "system" / "report.html").read_text(encoding="utf-8") == page
    with pytest.raises(FileNotFoundError, match="result.json is missing"):
        pages.write_page(tmp_path)


def test_names_in_the_system_cannot_become_markup(tmp_path):
    fabricate_system(tmp_path / "system", images=6)
    spoil(tmp_path / "system")
    page = system_page(tmp_path / "system")
    assert page.count("<script") == 2 and "<script>alert" not in page and 'onload="x"' not in page
    assert EVIL in data_of(page)["curves"] and EVIL in visible(page)
    assert not re.search(r"""<link|@import|url\((?!#)|(src|href)="(?!data:|#)""", page)


@browser
def test_the_system_is_worked_in_a_browser(tmp_path):
    fabricate_system(tmp_path / "system", shown=12)
    found = play(
        tmp_path / "system",
        """await until(() => one("#histogram line.threshold") && one("#flow-chart rect"));
        const kinds = all("#outcomes button").map((button) => button.dataset.outcome);
        one('#outcomes [data-outcome="wrongly routed"]').click();
        const shown = all(".image:not([hidden])").map((card) => card.dataset.outcome);
        one(".image:not([hidden]) .view").click();
        return { kinds, shown, open: one("#viewer").open, title: text("#viewer-title"),
          flow: text("#flow-chart"), curves: all("#defects .curve").length, bars: all("#flow-chart rect").length };""",
        write=pages.write_page,
    )
    assert found["kinds"][:3] == ["all", "missed unseen", "wrongly routed"] and found["open"] and found["title"]
    assert found["shown"] and set(found["shown"]) == {"wrongly routed"}
    assert found["curves"] == 8 and found["bars"] == 5 and "images 240" in found["flow"]


@browser
@pytest.mark.parametrize("gap", ["only an empty result", "empty lists"])
def test_a_page_with_gaps_still_starts(tmp_path, gap):
    fabricate_system(tmp_path / "system", images=3, shown=3)
    GAPS[gap](tmp_path / "system")
    assert play(tmp_path / "system", "return document.body.dataset.drawn;", write=pages.write_page) == "true"
