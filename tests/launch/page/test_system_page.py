"""The page of the two-stage system: what it judges, orders and counts, what it lacks; with a browser and without."""

import html
import json
import re

import pytest

from launch.page import system_page as pages
from tests.launch.page.browser import browser, play
from tests.launch.page.run_pages import EVIL, change_result, data_of
from tests.launch.page.surface_pages import TAU, UNSEEN, fabricate_system, spoil, tiles, visible


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
    assert f"τ = {TAU} raise the alarm" in page


def test_the_page_names_the_command_and_leads_to_the_runs_it_is_made_of(tmp_path):
    system, seen = tmp_path / "a system", tmp_path / "seen"
    command = "python -m launch.two_stage 'a system'"
    for folder in (system, seen):
        fabricate_system(folder, images=3, shown=0)
        change_result(folder, lambda result: result.update(command=command, system=str(system), warnings=[EVIL]))
    assert "The runs it is made of" not in system_page(system)
    for stage in ("surfaces", "defects/Class1", "defects/Class2", "defects/unfinished"):
        (system / stage).mkdir(parents=True)
        for name in ("result.json", "report.html")[: 2 * (stage != "defects/unfinished")]:
            (system / stage / name).write_text("{}")
    for folder, way in ((system, ""), (seen, "../a%20system/")):
        page = system_page(folder)
        stages = ["surfaces", "defects/Class1", "defects/Class2"]
        links = re.findall(r'<a href="([^"#]*)">([^<]*)</a>', page.split('class="stages"')[1].split("</p>")[0])
        assert links == [(f"{way}{stage}/report.html", stage) for stage in stages]
        assert command in visible(page) and EVIL in visible(page) and "<script>alert" not in page


def test_a_sentence_leads_that_counts_both_stages(tmp_path):
    events = fabricate_system(tmp_path / "system")
    new = [event for event in events if event["true_surface"] in UNSEEN]
    seen = [event for event in events if event not in new]
    judged = [event for event in seen if event["event"] != "unseen"]
    wrong = sum(event["surface"] != event["true_surface"] for event in judged)
    missed = sum(event["defective"] and event["event"] == "passed" for event in judged)
    false = sum(not event["defective"] and event["event"] == "defect" for event in judged)
    defective = sum(event["defective"] for event in judged)
    said = html.unescape(re.search(r'<p class="verdict">(.*?)</p>', system_page(tmp_path / "system"))[1])
    raised = sum(event["event"] == "unseen" for event in new)
    assert said == (
        f"{raised} of {len(new)} images of unknown surfaces raised the alarm; {len(seen) - len(judged)} false alarms "
        f"among {len(seen)} images of a learnt surface. {wrong} of the {len(judged)} others went to the detector of "
        f"another surface. {defective - missed} of {defective} defective images found, {missed} missed, {false} false "
        f"alarms among {len(judged) - defective} good ones."
    )
    assert pages.sentence([], UNSEEN) == ""


def test_images_without_labels_have_counts_and_no_figures(tmp_path):
    fabricate_system(tmp_path / "system", labelled=False)
    page = system_page(tmp_path / "system")
    assert list(tiles(page)) == ["Images", "Alarms", "Defects", "Passed"] and 'id="surfaces"' not in page
    assert re.search(r"Of 240 images \d+ raised the alarm, \d+ went on and have a defect, \d+ passed\.", visible(page))
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
    "empty lists": updating(curves={"Class1": []}, unseen=[], by_surface={"Class1": None}),
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
def test_the_threshold_of_the_system_is_moved_in_a_browser(tmp_path):
    events = fabricate_system(tmp_path / "system", shown=60)
    found = play(
        tmp_path / "system",
        """const fitted = all(".image").map((card) => card.dataset.outcome), told = (ids) => ids.map(text);
        const counts = ["#misses", "#false-alarms", "#tp", "#tn"], before = told(counts), after = {};
        for (const value of [0.2, 0.9]) {
          enter("#threshold-number", value);
          after[value] = [told(counts), all(".image").map((card) => [card.dataset.id, card.dataset.outcome]),
            all(".image").every((card) => card.querySelector(".badge").textContent === card.dataset.outcome)];
        }
        one('#outcomes [data-outcome="not looked at"]').click();
        const shown = all(".image:not([hidden])").map((card) => card.dataset.outcome);
        one("#fitted").click();
        return { fitted, before, after, shown, again: all(".image").map((card) => card.dataset.outcome) };""",
        write=pages.write_page,
    )

    def counts(threshold):
        raised = [(event["true_surface"] in UNSEEN, event["score"] > threshold) for event in events]
        return [str(raised.count(pair)) for pair in ((True, False), (False, True), (True, True), (False, False))]

    assert found["before"] == counts(TAU) and found["again"] == found["fitted"]
    assert found["shown"] and set(found["shown"]) == {"not looked at"}
    by_id, ends = {event["id"]: event for event in events}, set()
    for value, (told, cards, badges) in found["after"].items():
        assert told == counts(float(value)) and badges
        for id, outcome in cards:
            event, raised = by_id[id], by_id[id]["score"] > float(value)
            alarm, new = event["event"] == "unseen", event["true_surface"] in UNSEEN
            moved = ("alarm" if new else "alarm on seen") if raised else "missed unseen" if new else "not looked at"
            assert outcome == (event["outcome"] if raised == alarm else moved)
            ends.add(outcome if raised != alarm else None)
    assert ends >= {None, "alarm on seen", "missed unseen", "not looked at"}


@browser
def test_the_threshold_moves_without_labels_too(tmp_path):
    events = fabricate_system(tmp_path / "system", labelled=False)
    steps = """enter("#threshold-number", 0.45); return [text("#called"), text("#readout")];"""
    found = play(tmp_path / "system", steps, write=pages.write_page)
    assert found[0] == str(sum(event["score"] > 0.45 for event in events)) and "of 240 images" in found[1]


@browser
def test_the_flow_is_drawn_where_every_image_raised_the_alarm(tmp_path):
    fabricate_system(tmp_path / "system", images=3, shown=3)
    lines = [json.loads(line) for line in (tmp_path / "system" / "events.jsonl").read_text().splitlines()]
    nothing = dict.fromkeys(("surface", "defect_score", "defect_threshold"))
    lines = [line | nothing | {"event": "unseen", "outcome": "alarm", "score": 1.0} for line in lines]
    (tmp_path / "system" / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    steps = """await until(() => one("#flow-chart rect")); return text("#flow-chart");"""
    assert "alarm: unseen 30" in play(tmp_path / "system", steps, write=pages.write_page)


@browser
@pytest.mark.parametrize("gap", ["only an empty result", "empty lists"])
def test_a_page_with_gaps_still_starts(tmp_path, gap):
    fabricate_system(tmp_path / "system", images=3, shown=3)
    GAPS[gap](tmp_path / "system")
    assert play(tmp_path / "system", "return document.body.dataset.drawn;", write=pages.write_page) == "true"
