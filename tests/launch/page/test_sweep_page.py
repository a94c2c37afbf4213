"""The page of a sweep, without a browser: values, differences, escaping, and what is left where a thing is missing."""

import base64
import hashlib
import re

import pytest

from launch.page import comparison
from launch.page.sweep_page import answer, heat, overall, shown, signed, table, write_sweep_page
from tests.launch.page.sweep_pages import (
    ALPHA,
    EVIL,
    FIGURES,
    GAPS,
    IMAGES,
    LOSS,
    by_kind,
    data_of,
    fabricate,
    page_of,
    rows_of,
    store_images,
    train,
    words_of,
)


def test_the_answer_names_the_best_setting_and_the_papers():
    results = fabricate(ALPHA)
    results["cells"][1]["paper"] = {"pixel.f1": 0.93}
    said = answer(results, FIGURES[0], ["alpha"], {})
    assert said["here"]["label"] == "alpha 1" and said["here"]["mean"] == pytest.approx(0.82)
    assert said["paper"]["label"] == "alpha 0.15" and said["paper"]["paper"] == 0.93 and not said["same"]
    assert said["here"]["std"] == pytest.approx(0.02) and said["close"] == []


def test_settings_as_good_as_the_papers_best_are_not_hidden_behind_it():
    said = answer(fabricate(ALPHA), FIGURES[0], ["alpha"], {})  # The paper's values are all 0.55.
    assert said["paper"]["label"] == "alpha 0, alpha 0.15, alpha 0.5 and alpha 1 alike" and said["same"]


def test_a_better_value_of_the_paper_outside_of_the_sweep_is_told():
    results = fabricate(ALPHA)
    assert answer(results, FIGURES[0], ["alpha"], {})["elsewhere"] is None  # 0.2 is no better than 0.55.
    results["unfilled"][0]["value"] = 0.7
    assert answer(results, FIGURES[0], ["alpha"], {})["elsewhere"] == {"label": "kind tape", "value": 0.7}


def test_a_small_spread_is_not_rounded_away():
    assert (shown(0.00077), shown(0.0), shown(0.5), shown(12.34), shown(1234.5, FIGURES[2])) == (
        "0.0008", "0.000", "0.500", "12.3", "1234 ms"
    )  # fmt: skip


def test_the_answer_of_a_time_is_the_shortest():
    assert answer(fabricate(ALPHA), FIGURES[2], ["alpha"], {})["here"]["label"] == "alpha 1"


def test_the_heat_map_is_strongest_where_the_figure_is_best():
    results = fabricate(ALPHA, IMAGES)
    for figure in (FIGURES[0], FIGURES[2]):  # Every setting is better than the one before in F1 and in time.
        square = heat(figure, results["cells"], results["axes"], [{}])["squares"][0]
        parts = [cell["part"] for _, row in square["rows"] for cell in row]
        assert parts == pytest.approx([place / 7 for place in range(8)])


def test_settings_within_one_std_of_the_best_are_named():
    results = fabricate(ALPHA)
    results["cells"][2]["mean"]["pixel.f1"] = 0.805
    close = answer(results, FIGURES[0], ["alpha"], {})["close"]
    assert [other["label"] for other in close] == ["alpha 0.5"]


def test_the_best_of_an_unfinished_sweep_is_called_so(tmp_path):
    results = fabricate(ALPHA, status=lambda at, seed: "finished" if at["alpha"] == "0" else "unfinished")
    assert "Of 4 settings 1 measured so far: Pixel F1 is best with alpha 0" in words_of(page_of(results, tmp_path))
    assert "measured so far" not in words_of(page_of(fabricate(ALPHA), tmp_path))


def test_different_images_get_answers_of_their_own(tmp_path):
    words = words_of(page_of(fabricate(LOSS, IMAGES), tmp_path))
    assert "On images irregular Pixel F1 is best with loss mae+ssim" in words
    assert "On images regular Pixel F1 is best with loss mae+ssim" in words


def test_the_paper_stands_beside_what_was_measured(tmp_path):
    results = fabricate(ALPHA)
    del results["cells"][3]["paper"]["pixel.f1"]
    html = page_of(results, tmp_path)
    assert rows_of(html, 0) == [
        ["0", "3", "0.520 ± 0.020", "0.550", "−0.030"],
        ["0.15", "3", "0.620 ± 0.020", "0.550", "+0.070"],
        ["0.5", "3", "0.720 ± 0.020", "0.550", "+0.170"],
        ["1", "3", "0.820 ± 0.020", "–", "–"],
    ]
    assert rows_of(html, 2)[0] == ["0", "3", "30.0 ms ± 0.000 ms"]  # The paper has no times: no empty columns.
    assert "kind tape Pixel F1 0.200 no run has tape" in words_of(html)


def test_a_difference_of_nothing_and_nothing_is_a_dash():
    assert (signed(None), signed(float("nan")), signed(-0.5), signed(0.25)) == ("–", "–", "−0.500", "+0.250")
    row = table(FIGURES[0], [{"at": {}, "finished": 0, "failed": 1, "mean": {}, "paper": {}}], [{}])["rows"][0]
    assert [row[name] for name in ("mean", "std", "paper", "difference", "best")] == [None, None, None, None, False]


def test_the_page_says_what_it_is(tmp_path):
    words = words_of(page_of(fabricate(ALPHA), tmp_path))
    for text in ("ReNet-D, Table 4", "quick size", "nanotwice", "Seeds 0, 1, 2", "regular images stand in"):
        assert text in words
    for text in ("python -m launch.sweep table4 --quick", "12 of 12 finished", "Learnt from, good 20"):
        assert text in words


def test_failed_and_unfinished_runs_stay_visible(tmp_path):
    became = {("0.5", 1): "failed", ("1", 2): "unfinished"}
    results = fabricate(ALPHA, status=lambda at, seed: became.get((at["alpha"], seed), "finished"))
    html = page_of(results, tmp_path)
    failed = next(row for row in html.split("<tr") if 'data-run="alpha=0.5-seed=1"' in row)
    assert "ValueError: no such loss" in failed and "Traceback\n  line 1" in failed
    assert words_of(failed).count("–") == 4  # Three figures and the time.
    assert "10 of 12 finished, 1 failed, 1 unfinished" in words_of(html)
    assert rows_of(html, 0)[2][1] == "2 1 failed"


def test_one_run_has_no_spread(tmp_path):
    html = page_of(fabricate(ALPHA, seeds=(0,)), tmp_path)
    assert [row[2] for row in rows_of(html, 0)] == ["0.500", "0.600", "0.700", "0.800"]
    assert "one run, so no spread is known" in words_of(html)


def spoil(value):
    """The same results with every text but keys, choices and numbers replaced."""
    kept = ("status", "better", "size", "key", "figure")
    if isinstance(value, dict):
        return {name: part if name in kept else spoil(part) for name, part in value.items()}
    return [spoil(part) for part in value] if isinstance(value, list) else EVIL if isinstance(value, str) else value


def test_names_cannot_become_markup(tmp_path):
    results = spoil(fabricate(ALPHA, status=lambda at, seed: "failed" if seed else "finished"))
    results["axes"][0]["values"] = [EVIL, "other"]
    html = page_of(results, tmp_path)
    assert html.count("<script") == html.count("</script>") == 2  # The data and the page's own.
    assert "<script>alert" not in html and 'onload="x"' not in html
    assert data_of(html)["axes"][0]["values"][0] == EVIL and words_of(html).count("alert") > 20


def test_a_choice_of_what_was_logged_starts_with_the_loss(tmp_path):
    results = train(fabricate(LOSS, IMAGES), l1=[0.3, None, 0.1], ssim=[None] * 3)
    results["trainings"][2]["logged"]["mse"] = [0.5, 0.4, float("nan")]
    html = page_of(results, tmp_path)
    section = html[html.index('<section id="training">') : html.index('<section id="images">')]
    assert re.findall(r'<option value="(.*?)">', section) == ["loss", "l1", "mse"]  # Nothing was logged of ssim.
    assert re.findall(r'data-set="(.*?)"', section) == ["irregular", "regular"] and 'href="#training"' in html
    assert data_of(html)["trainings"][2]["logged"]["mse"] == [0.5, 0.4, None]


@pytest.mark.parametrize("trainings", [None, [], [{"at": {}, "seed": 0, "logged": {"step": [50], "loss": [None]}}]])
def test_without_a_logged_value_there_is_no_section_of_training(tmp_path, trainings):
    html = page_of(fabricate(LOSS) | {"trainings": trainings}, tmp_path)
    assert "Training" not in words_of(html) and 'href="#training"' not in html


def test_logged_names_cannot_become_markup(tmp_path):
    results = spoil(train(fabricate(LOSS, IMAGES), **{EVIL: [1.0, 2.0, 3.0]}))
    for entry in results["trainings"]:
        entry["at"]["images"] = EVIL
    html = page_of(results, tmp_path)
    assert html.count("<script") == html.count("</script>") == 2 and 'onload="x"' not in html
    assert data_of(html)["trainings"][0]["logged"][EVIL] == [1.0, 2.0, 3.0]


def test_only_the_script_of_the_page_may_run_and_the_network_is_not_asked(tmp_path):
    html = page_of(fabricate(ALPHA), tmp_path)
    script = re.search(r"<script>(.*?)</script>", html, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`]*", html)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"""<link|@import|url\((?!#)|src="(?!data:)""", html)


@pytest.mark.parametrize("gap", GAPS)
def test_what_is_missing_is_a_dash_and_never_a_zero(tmp_path, gap):
    results = GAPS[gap]()
    html = page_of(results, tmp_path)
    data_of(html)
    bare = re.sub(r"<(script|style).*?</\1>", "", html, flags=re.S)
    assert not re.search(r">\s*(None|nan|null|undefined)\s*<", bare)
    if not any(row["status"] == "finished" for row in results["rows"]):
        assert "No run of this sweep is finished yet" in words_of(html)
        assert not re.search(r"\b0\.000\b", words_of(html))


def test_a_finished_run_leads_to_its_own_page(tmp_path):
    results = fabricate(ALPHA, seeds=(0,))
    (tmp_path / "runs" / "alpha=0-seed=0").mkdir(parents=True)
    (tmp_path / "runs" / "alpha=0-seed=0" / "report.html").write_text("")
    assert re.findall(r'href="(runs/[^"]*)"', page_of(results, tmp_path)) == ["runs/alpha%3D0-seed%3D0/report.html"]


def test_a_failed_write_leaves_the_old_page(tmp_path, monkeypatch):
    before = page_of(fabricate(ALPHA), tmp_path)

    def refuse(source, target):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_sweep_page(fabricate(LOSS), tmp_path)
    assert (tmp_path / "sweep.html").read_text(encoding="utf-8") == before and len(list(tmp_path.iterdir())) == 1


def test_every_set_of_images_has_its_best_setting(tmp_path):
    html = page_of(fabricate(LOSS, IMAGES), tmp_path)
    settings = html[html.index('<section id="settings">') :]
    bold = re.findall(r'<tr class="best">(.*?)</tr>', settings.split('class="of-figure"')[1], re.S)
    assert [words_of(row).split()[:2] for row in bold] == [["mae+ssim", "irregular"], ["mae+ssim", "regular"]]


def test_kinds_of_defect_are_measured_apart_in_the_same_runs(tmp_path):
    results = fabricate(ALPHA, status=lambda at, seed: "unfinished" if at["alpha"] == "1" else "finished")
    store_images(tmp_path, results)
    results = by_kind(results)
    html = page_of(results, tmp_path)
    assert "on each of 3 sets of images" in words_of(html) and "9 of 12 finished, 3 unfinished" in words_of(html)
    assert "kind hole alpha 0.5 0.770 ± 0.020" in words_of(html)
    settings, images, _ = comparison.side_by_side(results, tmp_path)
    assert [setting["label"] for setting in settings] == ["alpha 0", "alpha 0.15", "alpha 0.5", "alpha 1"]
    assert [sorted(image["thumbnails"]) for image in images] == [[0, 1, 2], [0, 1, 2]]


def test_over_all_sets_of_images_the_mean_the_spread_and_the_worst_set_are_told():
    axes = [{"name": "method", "values": ["a", "b"]}, {"name": "unseen", "values": ["1", "2", "3"]}]
    values = {"a": (0.2, 0.4, 0.9), "b": (0.5, None, 0.7)}
    cells = [
        {"at": {"method": method, "unseen": str(place)}, "mean": {"f": value}}
        for method, row in values.items()
        for place, value in enumerate(row, 1)
    ]
    first, second = overall(cells, [{"key": "f", "better": "high"}], axes)
    assert first["label"] == "method a"
    assert first["figures"][0] == pytest.approx(
        {"mean": 0.5, "std": 0.13**0.5, "worst": 0.2, "where": "unseen 1"}, abs=1e-9
    )
    assert second["figures"][0]["mean"] == pytest.approx(0.6) and second["figures"][0]["worst"] == 0.5
    assert overall(cells, [{"key": "f", "better": "low"}], axes)[0]["figures"][0]["worst"] == 0.9


def test_a_page_of_sixty_runs_stays_below_ten_megabytes(tmp_path):
    results = fabricate(("x", [str(x) for x in range(20)], None))
    store_images(tmp_path, results, ids=("a", "b", "c"), size=(400, 300))
    assert 1e5 < write_sweep_page(results, tmp_path).stat().st_size < 1e7
