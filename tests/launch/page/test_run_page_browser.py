"""The report page in a real browser: what the slider counts, what the images show, what the keyboard does."""

import csv
import json
import re

import numpy as np
import pytest
from sklearn import metrics

from launch.page import images as report_images
from launch.page import run_page
from tests.drilled import drilled
from tests.launch.page.browser import browser, document_of, play
from tests.launch.page.run_pages import EVIL, GAPS, THRESHOLD, change_result, fabricate_gap, fabricate_run, write_rows

pytestmark = browser
KINDS = ("good", "crack", "good", "stain", "good", "crack") * 6


@pytest.fixture
def run(tmp_path):
    fabricate_run(tmp_path / "run", kinds=KINDS, shown=12)
    return tmp_path / "run"


def scores_and_labels(run):
    with (run / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    return np.array([float(row["score"]) for row in rows]), np.array([int(row["label"]) for row in rows])


def test_the_untouched_page_counts_at_a_linked_threshold(run):
    scores, labels = scores_and_labels(run)
    document = document_of(run_page.write_report(run), run.parent / "profile", fragment="#threshold=0.45")
    misses, alarms = (int(re.search(rf'id="{name}"[^>]*>([^<]*)<', document)[1]) for name in ("misses", "false-alarms"))
    assert misses == sum((scores <= 0.45) & (labels == 1)) > 0
    assert alarms == sum((scores > 0.45) & (labels == 0)) > 0


def test_the_slider_counts_as_numpy_does(run):
    scores, labels = scores_and_labels(run)
    thresholds = [-1.0, *np.quantile(scores, [0.1, 0.35, 0.5, 0.8]).tolist(), float(scores[7]), 2.0]
    steps = """const ids = ["#misses", "#false-alarms", "#tp", "#fn", "#fp", "#tn"], found = [];
    for (const value of THRESHOLDS) {
      enter("#threshold-number", value);
      found.push([ids.map(text), ["#precision", "#recall", "#f1", "#accuracy"].map(text)]);
    }
    return found;"""
    found = play(run, steps.replace("THRESHOLDS", json.dumps(thresholds)))
    for threshold, (counts, measures) in zip(thresholds, found, strict=True):
        predicted = scores > threshold
        tp, fn, fp, tn = metrics.confusion_matrix(labels, predicted, labels=[1, 0]).ravel().tolist()
        assert [int(count) for count in counts] == [fn, fp, tp, fn, fp, tn]
        precision = metrics.precision_score(labels, predicted) if predicted.any() else np.nan
        rest = [function(labels, predicted) for function in (metrics.recall_score, metrics.f1_score)]
        expected = [precision, *rest, metrics.accuracy_score(labels, predicted)]
        shown = [np.nan if text == "–" else float(text) for text in measures]
        np.testing.assert_allclose(shown, expected, atol=0.00051)  # Three digits are shown.


def test_moving_the_slider_moves_everything_but_the_headline_and_the_button_moves_it_back(run):
    before, moved, after = play(
        run,
        """await until(() => one("line.threshold"));
        const state = () => ({
          counts: [text("#misses"), text("#false-alarms")], number: one("#threshold-number").value,
          line: Number(one("line.threshold").getAttribute("x1")), exploring: one("#scores").className,
          badges: Object.fromEntries(all(".image").map(
            (card) => [card.dataset.id, card.querySelector(".badge").textContent])),
          filters: text("#outcomes"), tiles: text(".tiles"), fitted: one("#fitted").disabled,
          marks: all(".mark.exploring").length,
        });
        const before = state();
        enter("#threshold", 0.3);
        const moved = state();
        one("#fitted").click();
        return [before, moved, state()];""",
    )
    assert before == after and before["fitted"] and not before["exploring"] and before["number"] == str(THRESHOLD)
    assert moved["exploring"] == "exploring" and not moved["fitted"] and moved["marks"] == 2
    assert moved["line"] < before["line"] and moved["tiles"] == before["tiles"]
    assert moved["counts"] != before["counts"] and moved["filters"] != before["filters"]
    names = {(1, False): "miss", (0, True): "false alarm", (1, True): "detected", (0, False): "passed"}
    scores, labels = scores_and_labels(run)
    outcomes = [names[label, score > 0.3] for score, label in zip(scores.tolist(), labels.tolist(), strict=True)]
    assert moved["badges"] == {f"test/{kind}/{i:03d}": outcomes[i] for i, kind in enumerate(KINDS[:12])}


def test_at_the_fitted_threshold_the_decisions_of_the_run_stand(tmp_path):
    fabricate_run(tmp_path / "run", kinds=("good", "crack") * 4)
    path = tmp_path / "run" / "predictions.csv"
    path.write_text(re.sub(r",0\.5,[01],", ",0.1,1,", path.read_text()))  # As where each surface has its threshold.
    assert play(tmp_path / "run", 'return [text("#tp"), text("#fp")];') == ["4", "4"]


def test_another_pixel_threshold_redraws_outlines_with_their_precision_and_recall(run):
    before, found, back = play(
        run,
        """const drawn = (card) => card.querySelector("path.predicted:not(.casing)");
        const paths = () => all(".image").map((card) => drawn(card)?.getAttribute("d") ?? "");
        const before = paths(), found = [];
        for (const value of [0.2, 0.9]) {
          const said = text("#pixel-counts");
          enter("#pixel-number", value);
          await until(() => text("#pixel-counts") !== said);
          found.push([text("#pixel-counts"), paths(), all(".image").map((card) => card.dataset.id)]);
        }
        one("#pixel-fitted").click();
        await until(() => JSON.stringify(paths()) === JSON.stringify(before));
        return [before, found, [text("#pixel-counts"), one("#pixel-fitted").disabled]];""",
    )
    with (run / "predictions.csv").open() as file:
        called = {row["id"]: row["predicted"] == "1" for row in csv.DictReader(file)}
    files = {entry["id"]: entry["file"] for entry in json.loads((run / "images" / "index.json").read_text())}
    scale = report_images.read_images(run / "images", pixel_threshold=0.7)[1]["map"]
    for value, (said, paths, ids) in zip((0.2, 0.9), found, strict=True):
        hits = marked = defective = 0
        for id, drawn, old in zip(ids, paths, before, strict=True):
            assert (drawn != old) == called[id]  # Only of images that are called defective.
            if called[id]:
                arrays = np.load(run / "images" / files[id])
                above, truth = (
                    scale.quantise(arrays["map"]) > scale.quantise(np.float32([[value]])),
                    arrays["truth"] > 0,
                )
                hits, marked, defective = hits + (above & truth).sum(), marked + above.sum(), defective + truth.sum()
        assert 0 < sum(called[id] for id in ids) < len(ids)
        assert said.startswith(f"precision {hits / marked:.3f}, recall {hits / defective:.3f} over the ")
    assert back == ["", True]


def test_filters_show_what_they_say(run):
    misses, stains, count = play(
        run,
        """const shown = () => all(".image:not([hidden])").map((card) => [card.dataset.outcome, card.dataset.kind]);
        one("#outcomes [data-outcome=miss]").click();
        const misses = shown();
        one("#outcomes [data-outcome=all]").click();
        enter("#kind", "stain", "change");
        return [misses, shown(), text("#outcomes [data-outcome=all] i")];""",
    )
    assert misses and {outcome for outcome, _ in misses} == {"miss"}
    assert len(stains) == 2 == int(count) and {kind for _, kind in stains} == {"stain"}


def test_an_infinite_score_is_above_every_threshold_and_squeezes_nothing(tmp_path):
    rows = fabricate_run(tmp_path / "run", kinds=("good", "crack") * 4)
    rows[0] |= {"score": "inf", "predicted": 1}
    write_rows(tmp_path / "run" / "predictions.csv", rows)
    alarms, high = play(
        tmp_path / "run",
        """enter("#threshold-number", Number(one("#threshold").max));
        return [text("#false-alarms"), Number(one("#threshold").max)];""",
    )
    assert alarms == "1" and high < 2


def test_six_images_are_shown_until_more_are_asked_for(run):
    before, button, after, focused, one_kind = play(
        run,
        """const seen = () => all(".image").filter((card) => card.checkVisibility()).length;
        const before = seen(), button = text("#more");
        one("#more").click();
        const after = seen(), focused = document.activeElement.closest(".image") === all(".image")[6];
        enter("#kind", "stain", "change");
        return [before, button, [after, one("#more").hidden], focused, seen()];""",
    )
    assert (before, button, after, focused, one_kind) == (6, "Show 6 more", [12, True], True, 2)


def test_the_enlarged_view_reaches_all_images_and_leads_back_to_the_last(run):
    seen, shown, back = play(
        run,
        """one(".image .view").click();
        for (let at = 0; at < 20; at += 1) key("ArrowRight");
        const seen = text("#viewer-title");
        one("#viewer").close();
        await until(() => document.activeElement.matches(".view"));
        const last = all(".image").at(-1);
        return [seen === last.dataset.id, last.checkVisibility(), last.contains(document.activeElement)];""",
    )
    assert seen and shown and back


def test_maps_reach_the_screen_in_the_right_colours(run):
    found = play(
        run,
        """return all(".image").map((card) => {
          const canvas = card.querySelector("canvas"), context = canvas.getContext("2d");
          const colours = [...context.getImageData(0, 0, canvas.width, canvas.height).data];
          return [card.dataset.id, [...levels.get(card)], colours];
        });""",
    )
    scale = report_images.read_images(run / "images", pixel_threshold=0.7)[1]["map"]
    files = {entry["id"]: entry["file"] for entry in json.loads((run / "images" / "index.json").read_text())}
    colour_of = {}
    for id, levels, colours in found:
        expected = scale.quantise(np.load(run / "images" / files[id])["map"])
        np.testing.assert_array_equal(levels, expected.ravel())
        for level, colour in zip(levels, np.reshape(colours, (-1, 4)).tolist(), strict=True):
            assert colour_of.setdefault(level, colour) == colour  # One colour for one value, in every image.
    luma = [np.dot(colour_of[level][:3], [0.2126, 0.7152, 0.0722]) for level in sorted(colour_of)]
    assert np.all(np.diff(luma) >= -0.5) and luma[-1] - luma[0] > 200


def test_outlines_go_around_the_masks(tmp_path):
    fabricate_run(tmp_path / "run", kinds=("crack",), shown=1)
    paths = play(
        tmp_path / "run",
        """return all(".overlay .outlines path:not(.casing)").map(
          (path) => [path.getAttribute("class"), path.getAttribute("d")]);""",
    )
    around = "M3 2H6M3 5H6M3 2V5M6 2V5"  # Rows 2 to 4, columns 3 to 5.
    assert paths == [["truth", around], ["predicted", around]]


def test_the_enlarged_view_is_worked_by_keyboard(run):
    found = play(
        run,
        """const stops = all(".image .view:not([tabindex])"), seen = [], sizes = [];
        const note = () => seen.push([text("#viewer-title"), one("#viewer-views [aria-pressed=true]").dataset.view]);
        const measure = () => sizes.push(Number(/scale\\(([\\d.]+)/.exec(one("#plane").style.transform)[1]));
        stops[0].focus();
        stops[0].click();
        note();
        for (const name of ["ArrowRight", "5", "ArrowUp", "ArrowLeft", "ArrowLeft"]) { key(name); note(); }
        measure();
        for (const name of ["+", "0"]) { key(name); measure(); }
        const open = one("#viewer").open;
        key("ArrowRight");
        one("#viewer").close();
        await until(() => document.activeElement === stops[1]);
        const ids = all(".image").map((card) => card.dataset.id);
        return { ids, seen, sizes, open, stops: stops.length, back: document.activeElement === stops[1] };""",
    )
    first, second = found["ids"][:2]
    pressed = [[first, "overlay"], [second, "overlay"], [second, "map"], [second, "residual"]]
    assert found["seen"] == [*pressed, [first, "residual"], [first, "residual"]]
    assert found["sizes"][0] < found["sizes"][1] and found["sizes"][2] == pytest.approx(found["sizes"][0])
    assert found["open"] and found["back"] and found["stops"] == 12  # One tab stop an image.


def test_every_control_has_a_name_and_a_visible_focus(run):
    count, silent, faint = play(
        run,
        """one("#more").click();
        const controls = all("button, input, select, summary, a[href], [tabindex='0']").filter(
          (control) => control.checkVisibility() && control.tabIndex >= 0 && !control.disabled);
        const labels = (control) => [...(control.labels ?? [])].map((label) => label.textContent).join("");
        const name = (control) => control.getAttribute("aria-label") || control.textContent.trim() || labels(control);
        const silent = controls.filter((control) => !name(control)), faint = controls.filter((control) => {
          control.focus({ focusVisible: true });
          return document.activeElement !== control || getComputedStyle(control).outlineStyle === "none";
        });
        const html = (control) => control.outerHTML;
        return [controls.length, silent.map(html), faint.map(html)];""",
    )
    assert count > 20 and silent == [] and faint == []


@pytest.mark.parametrize("gap", [None, *drilled(*GAPS)])
def test_no_page_fails_or_scrolls_sideways(tmp_path, gap):
    if gap:
        fabricate_gap(tmp_path / "run", gap)
    else:
        fabricate_run(tmp_path / "run", kinds=("good", "an_unbroken_name_" * 12, EVIL), size=(16, 256))
        kinds = {"an_unbroken_name_" * 12: {"images": 1, "pro": 0.5}}
        change_result(tmp_path / "run", lambda result: result["dataset"].update(root="/a/very/long/path" * 20))
        change_result(tmp_path / "run", lambda result: result["figures"].update(by_kind=kinds))
    steps = """const empty = () => all(".chart").filter((chart) => !chart.children.length).length;
    await until(() => !empty());
    return [innerWidth, document.documentElement.scrollWidth, empty()];"""
    for width in (400,) if gap else (320, 400, 800, 1200):
        inner, scrolled, empty = play(tmp_path / "run", steps, width=width)
        assert inner == width and scrolled <= inner and empty == 0


def test_names_stay_text_in_the_browser(tmp_path):
    fabricate_run(tmp_path / "run", kinds=(EVIL, EVIL), shown=2)
    scripts, title, kinds, rows = play(
        tmp_path / "run",
        """await until(() => one("#histogram text"));
        one(".image .view").click();
        const kinds = all("#kind option").map((option) => option.value);
        return [all("script").length, text("#viewer-title"), kinds, text("#histogram")];""",
    )
    assert scripts == 4  # The data, the page's own, and the two of this test.
    assert EVIL in title and EVIL in kinds and EVIL in rows
