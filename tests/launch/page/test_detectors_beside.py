"""Different detectors in one table: the best of those that may be compared, what guessing gives, and the headline."""

import re

import numpy as np
import pytest
from sklearn import metrics

from launch.page.detectors_beside import beside, differ, guess
from launch.page.sweep_page import write_sweep_page
from tests.launch.page.browser import browser, play
from tests.launch.page.sweep_pages import ALPHA, EVIL, FIGURES, fabricate, page_of, store_images, train, words_of

TEST = {"good": 6, "defective": 12, "pixels": 0.02, "images": "a"}
RUN = ("run", ["dct", "dae", "segdec"], None)


def detectors(*axes, other=()):
    """A sweep over detectors of which those in `other` were tested on fewer images."""
    results = fabricate(*(axes or (RUN,)), paper=False, seeds=(0,))
    for row in results["rows"]:
        fewer = row["at"].get("run") in other
        row |= {
            "detector": row["at"].get("run", "x"),
            "test": TEST | ({"images": "b", "defective": 5} if fewer else {}),
        }
    return results


def test_a_guess_is_what_random_scores_reach():
    draw = np.random.default_rng(0)
    labels = draw.random(20000) < 0.3
    scores = draw.random(20000)
    test = {"good": int((~labels).sum()), "defective": int(labels.sum()), "pixels": labels.mean()}
    precision, recall, _ = metrics.precision_recall_curve(labels, scores)
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-9))
    fpr, tpr, _ = metrics.roc_curve(labels, scores)
    expected = {
        "auroc": metrics.roc_auc_score(labels, scores), "ap": metrics.average_precision_score(labels, scores),
        "oracle.f1": best, "accuracy": max(np.mean(labels == (scores > t)) for t in np.linspace(0, 1, 101)),
    }  # fmt: skip
    for level in ("image", "pixel"):
        for name, value in expected.items():
            assert guess(f"{level}.{name}", test) == pytest.approx(value, abs=0.02), name
    overlap = np.interp(np.linspace(0, 0.3, 100), fpr, tpr).mean()  # Of a region as of any pixels.
    assert guess("pixel.pro", test) == pytest.approx(overlap, abs=0.02)
    for key in ("timings.score_ms_per_image", "image.misses", "image.gamma0.accuracy", "painted.image.auroc"):
        assert guess(key, test) is None
    assert guess("pixel.ap", test | {"pixels": None}) is guess("pixel.ap", None) is None


def test_only_detectors_tested_on_the_same_images_can_be_best_and_the_others_are_marked(tmp_path):
    assert not differ(fabricate(ALPHA)) and differ(detectors())
    table = beside(detectors(other=("segdec",)), ["run"], {})
    assert [row["label"] for row in table["rows"]] == ["dct", "dae", "segdec"]
    assert [row["values"][0]["best"] for row in table["rows"]] == [False, True, False]  # segdec has the higher value.
    assert [row["other"] for row in table["rows"]] == [None, None, "5 defective and 6 good images"]
    assert [row["values"][1]["best"] for row in table["rows"]] == [True, True, False]  # Equals are best together.
    html = page_of(detectors(other=("segdec",)), tmp_path)
    words = words_of(html)
    assert "† Tested on other images than 12 defective and 6 good images" in words
    assert "Pixel F1 is best with dae ." in words and "run dae" not in words
    assert "Image AUROC is best with dct and dae alike" in words and "more alike" not in words


def test_unlike_losses_share_no_chart(tmp_path):
    assert 'id="training"' in page_of(train(fabricate(ALPHA)), tmp_path)
    html = page_of(train(detectors()), tmp_path)
    assert 'id="training"' not in html and 'id="settings"' not in html and 'class="rows sortable beside"' in html


def test_names_of_detectors_cannot_become_markup(tmp_path):
    html = page_of(detectors(("run", [EVIL, "dct"], None)), tmp_path)
    assert html.count("<script") == 2 and "<script>alert" not in html and 'onload="x"' not in html


def test_every_set_of_images_has_a_table(tmp_path):
    results = detectors(RUN, ("images", ["plain", "rough"], None))
    html = page_of(results, tmp_path)
    assert html.count('class="rows sortable beside"') == 2 and "On images rough" in words_of(html)


def test_a_page_opens_with_a_published_figure(tmp_path):
    results = detectors()
    for cell in results["cells"]:
        cell["paper"] = {FIGURES[1]["key"]: 0.7}
    html = page_of(results, tmp_path)
    assert re.search(r'<option value="1" selected>Image AUROC', html) and 'id="settings"' in html


@browser
def test_a_heading_sorts_and_the_headline_follows_it(tmp_path):
    results = detectors()
    store_images(tmp_path / "s", results)
    steps = """const seen = () => ({
      rows: all(".beside tbody tr").map((row) => row.cells[0].textContent.trim()),
      said: all(".answer").filter((said) => said.checkVisibility()).map((said) => said.textContent),
    });
    const heads = all(".beside thead button"), before = seen();
    heads[1].click(); const best = seen();
    heads[1].click(); const worst = seen();
    heads[3].click(); const fast = seen();
    return [before, best, worst, fast, text("#better"), document.documentElement.scrollWidth <= innerWidth];"""
    for width in (420, 1200):
        before, best, worst, fast, better, fits = play(
            tmp_path / "s", steps, width=width, write=lambda folder: write_sweep_page(results, folder)
        )
        assert before["rows"] == ["dct", "dae", "segdec"] == worst["rows"] and best["rows"] == before["rows"][::-1]
        assert [len(state["said"]) for state in (before, best, worst, fast)] == [1] * 4
        assert "Pixel F1 is best with segdec" in best["said"][0] and fits
        assert "Time of an image is best with segdec" in fast["said"][0] and better == "lower is better"
        assert fast["rows"] == ["segdec", "dae", "dct"]  # The shortest first.
