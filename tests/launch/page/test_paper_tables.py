"""The papers' tables from kept files: what is written of them, and that docs/reproduction.md is what they say."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from launch import tabulate
from launch.page import paper_tables
from launch.page.paper_tables import Row, Table
from launch.sweeping.results import collect

DOCS = Path(__file__).parents[3] / "docs"
PAGE = "# A\n\n<!-- results few: published pixel.f1; tuned pixel.f1 -->\nold\n<!-- /results -->\n\nafter\n"


def row(alpha, score, values, paper=None):
    return Row((alpha, score), "pixel.f1", float(np.mean(values)), float(np.std(values, ddof=1)), len(values),
               tuple(values), paper)  # fmt: skip


FEW = Table(("alpha", "score"), (
    row("0", "published", (0.1, 0.2, 0.3, 0.4), 0.7), row("0", "tuned", (0.5, 0.6, 0.7, 0.84)),
    row("1", "published", (0.12, 0.21, 0.29, 0.41), 0.5), row("1", "tuned", (0.3, 0.4, 0.5, 0.6)),
))  # fmt: skip


def test_a_table_is_read_as_it_was_kept(tmp_path):
    (tmp_path / "few.csv").write_text(paper_tables.as_csv(FEW))
    read = paper_tables.read(tmp_path / "few.csv")
    assert read.axes == FEW.axes and [r[:2] for r in read.rows] == [r[:2] for r in FEW.rows]
    for kept, given in zip(read.rows, FEW.rows, strict=True):
        np.testing.assert_allclose(
            [kept.mean, kept.std, *kept.values], [given.mean, given.std, *given.values], rtol=1e-4
        )
        assert (kept.runs, kept.paper) == (given.runs, given.paper)
    (tmp_path / "few.csv").write_text(paper_tables.as_csv(FEW).replace("0.25", "a quarter"))
    with pytest.raises(ValueError, match="few.csv, line 2: .*a quarter"):
        paper_tables.read(tmp_path / "few.csv")
    (tmp_path / "few.csv").write_text("a,b\n")
    with pytest.raises(ValueError, match="few.csv is no table of results"):
        paper_tables.read(tmp_path / "few.csv")


def test_a_page_gets_the_table_the_picture_and_the_difference_to_the_paper():
    text = paper_tables.written("few", FEW, "published pixel.f1; tuned pixel.f1")
    assert "| alpha | published pixel.f1 | tuned pixel.f1 |" in text and "](results/few.svg)" in text
    assert "| 0 | 0.250 ± 0.129 (0.7; -0.45) | 0.660 ± 0.145 |" in text
    assert "`tuned pixel.f1` is best with 0;" in text and text.count("is best with") == 2
    with pytest.raises(ValueError, match="no result is in the column 'tuned pixel.pro'; .* pixel.f1"):
        paper_tables.written("few", FEW, "tuned pixel.pro")
    with pytest.raises(ValueError, match="leave different rows"):
        paper_tables.written("few", FEW, "tuned pixel.f1; 1 pixel.f1")


def test_only_what_seeds_do_not_explain_is_called_worse():
    """The published score's two settings differ by less than their seeds do, the tuned one's in every seed alike."""
    published, tuned = (
        paper_tables.differing(c) for c in paper_tables.columns_of(FEW, "published pixel.f1; tuned pixel.f1")
    )
    assert published.endswith("0.05): none.") and tuned.endswith("0.05): 1.")
    p = stats.ttest_rel((0.5, 0.6, 0.7, 0.84), (0.3, 0.4, 0.5, 0.6), alternative="greater").pvalue
    assert p < paper_tables.LEVEL
    without = Table(FEW.axes, tuple(r._replace(values=()) for r in FEW.rows))
    assert paper_tables.differing(paper_tables.columns_of(without, "tuned pixel.f1")[0]) == ""


@pytest.mark.parametrize("p, fall", [
    ([0.01, 0.04, 0.03], [0]),  # .03 is asked to be .025 at most, and .04 falls with it.
    ([0.01, 0.02, 0.04], [0, 1, 2]), ([0.06], []), ([0.2, 0.001], [1]), ([], []),
])  # fmt: skip
def test_many_tests_are_corrected_by_holms_rule(p, fall):
    assert paper_tables.holm(p) == fall


def test_a_picture_shows_every_setting_and_the_papers_values():
    drawn = paper_tables.picture(FEW, "published pixel.f1; tuned pixel.f1")
    assert drawn.count('r="4"') == 4 + 2 and drawn.count('r="5"') == 2 + 1  # Dots and rings, and the legend's.
    heights = [float(y) for y in re.findall(r'class="s1" cx="[\d.]+" cy="([\d.]+)" r="4"', drawn)]
    assert heights[0] < heights[1] and "<polyline" in drawn  # The better one stands higher; alphas are numbers.
    names = Table(("<b>", "score"), tuple(r._replace(at=(f"<i>{r.at[0]}", r.at[1])) for r in FEW.rows))
    drawn = paper_tables.picture(names, "published pixel.f1")
    assert "<i>" not in drawn and "&lt;i&gt;0" in drawn and "<polyline" not in drawn


@pytest.mark.parametrize("low, high", [(0, 1), (0, 0.82), (-3, 250), (0, 1e-4), (0.4, 0.41)])
def test_ticks_are_few_and_round(low, high):
    ticks = paper_tables.ticks(low, high)
    assert 4 <= len(ticks) <= 11 and low <= ticks[0] + 1e-9 and ticks[-1] <= high + 1e-9


def test_a_sweep_is_kept_with_the_values_of_its_seeds(finished, tmp_path):
    folder = finished[1]
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace("few: published pixel.f1; tuned pixel.f1", f"{folder.name}: pixel.auroc"))
    tabulate.main(["--papers", str(folder), "--page", str(page)])
    kept = paper_tables.read(tmp_path / "results" / f"{folder.name}.csv")
    found = {(r["at"]["alpha"], r["seed"]): r["figures"]["pixel.auroc"] for r in collect(folder)["rows"]}
    aurocs = [r for r in kept.rows if r.figure == "pixel.auroc"]
    assert [r.at for r in aurocs] == [("0",), ("0.5",)] and kept.axes == ("alpha",)
    for r in aurocs:
        np.testing.assert_allclose(r.values, [found[r.at[0], seed] for seed in (0, 1)], rtol=1e-4)
    text = page.read_text()
    assert text.endswith("<!-- /results -->\n\nafter\n") and "old" not in text and "| alpha | pixel.auroc |" in text
    assert (tmp_path / "results" / f"{folder.name}.svg").read_text().strip().startswith("<svg")
    tabulate.main(["--papers", "--page", str(page)])
    assert page.read_text() == text


def test_the_page_of_the_papers_is_what_the_kept_files_say():
    """After a change of either: python -m launch.tabulate --papers."""
    page = (DOCS / "reproduction.md").read_text()
    text, pictures = paper_tables.rewritten(page, DOCS / "results")
    assert text == page and pictures
    assert pictures == {path.stem: path.read_text() for path in (DOCS / "results").glob("*.svg")}
    assert pictures.keys() == {path.stem for path in (DOCS / "results").glob("*.csv")}


def test_times_are_drawn_by_powers_of_ten_and_not_taken_from_the_papers():
    rows = [Row((name,), "timings.score_ms_per_image", ms, None, 1, (), paper)
            for name, ms, paper in (("fast", 2.5, 20.0), ("slow", 3405.0, None))]  # fmt: skip
    table = Table(("run",), tuple(rows))
    assert [paper_tables.cell(r) for r in rows] == ["2.5 (20)", "3405"]
    scale = paper_tables.decades([2.5, 20.0, 3405.0])
    assert scale.ticks == [1, 10, 100, 1000, 10000]
    np.testing.assert_allclose([scale.height_of(tick) for tick in scale.ticks], np.linspace(0, 1, 5))
    drawn = paper_tables.picture(table, "timings.score_ms_per_image")
    assert all(f">{tick}<" in drawn for tick in ("1", "10000"))
    same = paper_tables.decades([10.0, 10.0])
    assert same.height_of(10.0) == 0 and len(same.ticks) == 2
