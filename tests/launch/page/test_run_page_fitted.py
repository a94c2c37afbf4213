"""What the report page says of the fitted scores and of what the detector carries, with a browser and without."""

import json
import re

import numpy as np
import pytest

from launch.page import run_page
from tests.drilled import drilled
from tests.launch.page.browser import browser, play
from tests.launch.page.run_pages import EVIL, change_result, data_of, fabricate_run, page_of

KINDS = ("good", "crack", "good", "stain", "good", "crack") * 6
NORMAL = np.random.default_rng(1).normal(0.35, 0.05, 200)
STATE = {
    "generator": {"values": 12583000, "bytes": 50332000, "shapes": None},
    "memory": {"values": 65536, "bytes": 262144, "shapes": [[8, 8, 512], [8, 8, 512]]},
    "<b>": {"values": 1, "bytes": 4, "shapes": [[]]},
}


def fabricate_fitted(folder, *, scores=NORMAL, gammas=(0.0, 1.0, 2.0, 3.0), spread=None, **options):
    """A run folder as of fabricate_run, with fitted scores, the figures at each gamma, and a state."""
    fabricate_run(folder, **{"kinds": KINDS, "shown": 1} | options)
    mean, std = float(np.mean(scores)), float(np.std(scores)) if spread is None else spread
    rates = {"accuracy": 0.8125, "recall": 0.75, "precision": None, "specificity": 0.625}
    rows = {f"gamma{gamma:g}": {"gamma": gamma, "threshold": mean + gamma * std, **rates} for gamma in gammas}

    def change(result):
        result["fitted"] = {"on": "train", "scores": [*map(float, scores)], "mean": mean, "std": std}
        result["figures"]["image"] |= rows
        result["state"] = STATE

    change_result(folder, change)
    return [row["threshold"] for row in rows.values()]


def cells(html):
    """The rows of the table of standard deviations, as text."""
    table = re.search(r'<div class="gammas">(.*?)</div>', html, re.S)[1]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.S)]


def test_every_gamma_has_a_row_by_rising_gamma(tmp_path):
    thresholds = fabricate_fitted(tmp_path / "run", gammas=(2.0, 10.0, 0.0, 0.5))
    html = page_of(tmp_path / "run")
    head, *rows = cells(html)
    assert head == ["γ", "threshold", "accuracy", "recall", "precision", "specificity"]
    order = [(0.0, thresholds[2]), (0.5, thresholds[3]), (2.0, thresholds[0]), (10.0, thresholds[1])]
    rest = ["0.812", "0.750", "–", "0.625"]
    assert rows == [[f"{gamma:g}", f"{threshold:.4g}", *rest] for gamma, threshold in order]
    assert "At the mean + γ standard deviations of 200 normal images" in html
    assert "the training images; the fitted threshold stands apart" in html


def test_an_undefined_gamma_is_a_row_of_dashes_and_no_line(tmp_path):
    fabricate_fitted(tmp_path / "run", gammas=(0.0,))
    nothing = dict.fromkeys(("threshold", "accuracy", "recall", "precision", "specificity"))
    change_result(tmp_path / "run", lambda result: result["figures"]["image"].update(gamma1={"gamma": 1.0, **nothing}))
    change_result(tmp_path / "run", lambda result: result["figures"]["image"].update(gamma2=None))
    html = page_of(tmp_path / "run")
    assert [row[0] for row in cells(html)] == ["γ", "0", "1"] and cells(html)[2] == ["1", *"–––––"]
    assert [gamma for gamma, _ in data_of(html)["levels"]] == [0.0]


def test_the_run_says_what_the_detector_carries(tmp_path):
    fabricate_fitted(tmp_path / "run")
    facts = re.search(r"<h3>Carried by the detector</h3>(.*?)</section>", page_of(tmp_path / "run"), re.S)[1]
    assert re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", facts) == [
        ("generator", "12.6 M values, 50.3 MB"),
        ("memory", "2 arrays of 8 × 8 × 512, 262 kB"),
        ("&lt;b&gt;", "1 number, 4 B"),
    ]


def test_sizes_have_three_digits_and_a_prefix():
    texts = {0: "0 ", 999: "999 ", 999.6: "1 k", 1000: "1 k", 123456: "123 k", 999999: "1 M", 2.5e9: "2.5 G"}
    assert {value: run_page.scaled(value) for value in texts} == texts
    gone = {"values": None, "bytes": float("nan"), "shapes": None}
    mixed = {"values": 20, "bytes": 80, "shapes": [[4, 4], [4], [], []]}
    assert run_page.carried({"a": gone, "b": None, "c": mixed}) == [
        ("a", "– values, – B"),
        ("b", "– values, – B"),
        ("c", "1 array of 4 × 4, 1 array of 4, 2 numbers, 80 B"),
    ]


def test_names_of_parts_and_of_what_was_fitted_on_cannot_become_markup(tmp_path):
    fabricate_fitted(tmp_path / "run")

    def spoil(result):
        result["fitted"]["on"] = EVIL
        result["state"] = {EVIL: {"values": 2, "bytes": 8, "shapes": [[EVIL]]}}

    change_result(tmp_path / "run", spoil)
    html = page_of(tmp_path / "run")
    assert html.count("<script") == html.count("</script>") == 2  # The data and the page's own.
    assert "<script>alert" not in html and 'onload="x"' not in html and html.count("&lt;script&gt;alert") == 3


@pytest.mark.parametrize("gone", ["absent", "null"])
def test_a_run_without_these_fields_has_no_trace_of_them(tmp_path, gone):
    fabricate_run(tmp_path / "run")
    if gone == "null":
        change_result(tmp_path / "run", lambda result: result.update(fitted=None, state=None))
    html = page_of(tmp_path / "run")
    visible = re.sub(r"<(script|style).*?</\1>", "", html, flags=re.S)
    assert 'class="gammas"' not in visible and "compared" not in visible and "Carried" not in visible
    assert data_of(html)["fitted"] == data_of(html)["levels"] == []


@browser
def test_a_run_without_fitted_scores_has_no_lines_and_no_outline(tmp_path):
    fabricate_run(tmp_path / "run", kinds=KINDS)
    found = play(
        tmp_path / "run",
        """await until(() => one("line.threshold"));
        return [".deviation", ".flag", ".outline", "#histogram desc"].map((name) => all(name).length)
          .concat(all("#histogram .row").length, Number(one("line.threshold").getAttribute("y1")));""",
    )
    assert found == [0, 0, 0, 0, 3, 0]


@browser
def test_the_lines_stand_where_the_threshold_would(tmp_path):
    thresholds = fabricate_fitted(tmp_path / "run")
    found = play(
        tmp_path / "run",
        """await until(() => one("line.threshold"));
        const at = (line) => Number(line.getAttribute("x1")), lines = all(".deviation");
        const moved = LEVELS.map((level) => { enter("#threshold-number", level); return at(one("line.threshold")); });
        return { lines: lines.map(at), moved, told: text("#histogram desc"), names: all(".flag").map(
          (flag) => [flag.firstChild.data, Number(flag.getAttribute("x"))]), rows: all(".row").map(
          (row) => row.firstChild.data + " " + row.querySelector("tspan").textContent) };""".replace(
            "LEVELS", json.dumps(thresholds)
        ),
    )
    assert sorted(found["lines"]) == found["moved"] and len(set(found["moved"])) == 4
    names = [name for name, _ in sorted(found["names"], key=lambda flag: flag[1])]
    assert names == ["μ", "μ+1σ", "μ+2σ", "μ+3σ"]
    assert all(f"{name} at {at:.4g}" in found["told"] for name, at in zip(names, thresholds, strict=True))
    assert found["rows"][-1].startswith("normal, fitted on 200")


@browser
@pytest.mark.parametrize("side", [1.0, *drilled(-1.0)])
@pytest.mark.parametrize("spread", [0.01, *drilled(0.0, 0.002, 0.2, 5.0)])
def test_no_name_of_a_line_is_crossed_or_leaves_the_chart(tmp_path, spread, side):
    fabricate_fitted(tmp_path / "run", spread=spread, gammas=[side * gamma for gamma in (0.0, 0.5, 1.0, 2.0, 3.0)])
    steps = """await until(() => one("line.threshold"));
    const box = (found) => ["left", "right", "top", "bottom"].map((side) => found.getBoundingClientRect()[side]);
    enter("#threshold-number", MEAN);
    await until(() => one("#histogram svg") && one("line.threshold")); // A chart that is resized is drawn anew.
    return { chart: box(one("#histogram svg")), names: all(".flag").map(box),
      lines: [...all(".deviation"), one("line.threshold")].map(box) };""".replace("MEAN", str(float(NORMAL.mean())))
    for width in (360, 1200):
        found = play(tmp_path / "run", steps, width=width)
        left, right, top, _ = found["chart"]
        names = found["names"]
        assert len(names) == 5 and len(found["lines"]) >= 2
        for index, (start, end, upper, lower) in enumerate(names):
            assert left <= start and end <= right and top <= upper
            others = found["lines"] + names[:index]
            assert not [b for b in others if b[0] < end and start < b[1] and b[2] < lower - 1 and upper + 1 < b[3]]


@pytest.mark.drill
@browser
def test_the_table_never_makes_the_page_scroll_sideways(tmp_path):
    fabricate_fitted(tmp_path / "run", gammas=(0.0, 12.5))
    rows = lambda result: result["figures"]["image"]["gamma12.5"].update(threshold=-1.234e-05)
    change_result(tmp_path / "run", rows)
    steps = """await until(() => one("line.threshold"));
    const over = all(".gammas :is(th, td)").filter((cell) => cell.scrollWidth > cell.clientWidth + 1);
    return [innerWidth, document.documentElement.scrollWidth, over.map((cell) => cell.textContent)];"""
    for width in (320, 420, 700, 900, 1000, 1300):
        inner, scrolled, over = play(tmp_path / "run", steps, width=width)
        assert inner == width and scrolled <= inner and over == []


@browser
def test_the_axis_covers_the_fitted_scores_but_for_a_far_outlier(tmp_path):
    fabricate_fitted(tmp_path / "run", scores=[*(NORMAL - 0.6), 1000.0, np.nan], spread=0.1)
    low, high, row = play(
        tmp_path / "run",
        """await until(() => one("line.threshold"));
        return [...domain, all("#histogram .row").at(-1).textContent];""",
    )
    inner = np.sort(NORMAL - 0.6)[1:]  # Of 201 scores the lowest and the highest are beyond 0.1 and 99.9 %.
    assert low < inner[0] and high < 2
    off = 2 + int(NORMAL.min() - 0.6 < low)
    assert f"202, {off} off the axis" in row


@browser
def test_the_outline_counts_what_numpy_counts(tmp_path):
    fabricate_fitted(tmp_path / "run")
    outline, (low, high), width, pad, row = play(
        tmp_path / "run",
        """await until(() => one("line.threshold"));
        return [one(".outline").getAttribute("d"), domain, one("#histogram").clientWidth, PAD, ROW];""",
    )
    bins = max(12, min(60, round(width / 16)))
    counts, _ = np.histogram(NORMAL, bins, (low, high))
    steps = re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)", outline)
    base = max(float(y) for _, _, y in steps)
    drawn = [(base - float(y)) / (row - 22) for _, _, y in steps[:-1]]
    np.testing.assert_allclose(drawn, counts / counts.max(), atol=0.01)
    np.testing.assert_allclose([float(x) for x, _, _ in steps], np.linspace(pad, width - pad, bins + 1), atol=0.06)
