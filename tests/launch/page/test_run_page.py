"""The report page, without a browser: what is written, escaped, ordered and refused."""

import base64
import hashlib
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from launch.command import configuration, files
from launch.page import run_page
from tests.launch.page.run_pages import (
    EVIL,
    GAPS,
    THRESHOLD,
    change_result,
    data_of,
    fabricate_gap,
    fabricate_run,
    page_of,
    write_rows,
)


def test_the_page_asks_the_network_for_nothing(tmp_path):
    fabricate_run(tmp_path / "run")
    html = page_of(tmp_path / "run")
    addresses = set(re.findall(r"""(?:https?:)?//[\w.-]+\.\w+[^\s"'`]*""", re.sub(r"base64,[\w+/=]+", "", html)))
    assert addresses == {"http://www.w3.org/2000/svg"}  # A name of a namespace, which nobody fetches.
    assert not re.search(r"""<link|@import|url\((?!#)|src="(?!data:)""", html)


def test_only_the_script_of_the_page_may_run(tmp_path):
    fabricate_run(tmp_path / "run")
    html = page_of(tmp_path / "run")
    script = re.search(r"<script>(.*?)</script>", html, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy


def test_names_cannot_become_markup(tmp_path):
    fabricate_run(tmp_path / "run", kinds=("good", EVIL, EVIL))

    def spoil(result):
        for name in ("name", "detector", "preset"):
            result[name] = EVIL
        result["dataset"] |= {"name": EVIL, "root": EVIL, "kinds": {EVIL: 2}}
        result["figures"]["by_kind"] = {EVIL: {"images": 2}}
        result["warnings"] = [EVIL]
        result["thresholds"]["image"] |= {"rule": EVIL, "fitted_on": EVIL}
        result["versions"] = {EVIL: EVIL}

    change_result(tmp_path / "run", spoil)
    (tmp_path / "run" / "config.json").write_text(json.dumps({EVIL: {EVIL: EVIL}}))
    html = page_of(tmp_path / "run")
    assert html.count("<script") == html.count("</script>") == 2  # The data and the page's own.
    assert "<script>alert" not in html and 'onload="x"' not in html
    assert {row[1] for row in data_of(html)["rows"]} == {"good", EVIL}


def test_the_images_stand_worst_first(tmp_path):
    rows = fabricate_run(tmp_path / "run", kinds=("good", "crack") * 6, shown=12)
    ids = re.findall(r'<article [^>]*data-id="([^"]*)"', page_of(tmp_path / "run"))
    margin = {row["id"]: row["score"] - THRESHOLD for row in rows}
    misses = [row["id"] for row in rows if row["label"] and not row["predicted"]]
    alarms = [row["id"] for row in rows if not row["label"] and row["predicted"]]
    rest = [row["id"] for row in rows if row["label"] == row["predicted"]]
    assert misses and alarms and rest  # Otherwise the order says nothing.
    worst = sorted(misses, key=margin.get) + sorted(alarms, key=lambda id: -margin[id])
    worst += sorted(rest, key=lambda id: -margin[id])
    good = [id for id in worst if "good" in id]
    lacking = run_page.GOOD - len([id for id in worst[: run_page.FIRST] if id in good])
    later = [id for id in good if id in worst[run_page.FIRST :]]
    moved = sorted(later, key=lambda id: abs(margin[id]))[: max(lacking, 0)]
    assert sorted(ids[: run_page.FIRST]) == sorted(worst[: run_page.FIRST - len(moved)] + moved)
    assert [id for id in ids if id not in moved] == [id for id in worst if id not in moved]


def test_good_images_stand_among_the_first_even_where_all_mistakes_are_misses(tmp_path):
    rows = fabricate_run(tmp_path / "run", kinds=("crack",) * 9 + ("good",) * 4, shown=13)
    path = tmp_path / "run" / "predictions.csv"
    rows = [row | {"score": 0.4 - 0.01 * i, "predicted": 0} for i, row in enumerate(rows)]  # All below the threshold.
    write_rows(path, rows)
    ids = re.findall(r'<article [^>]*data-id="([^"]*)"', page_of(tmp_path / "run"))
    assert [id.split("/")[1] for id in ids[: run_page.FIRST]] == ["crack"] * 4 + ["good"] * 2
    assert ids[4:6] == [rows[9]["id"], rows[10]["id"]]  # Those nearest to the threshold.


def test_headline_figures_keep_the_oracle_apart(tmp_path):
    rows = fabricate_run(tmp_path / "run")
    html = page_of(tmp_path / "run")
    tiles = re.findall(r'<div class="tile [^"]*"><dt>(.*?)</dt><dd>(.*?)</dd>', html)
    assert [title for title, _ in tiles] == ["Missed", "False alarms", "Pixel F1", "Pixel AP", "PRO", "Image AUROC"]
    rows = [(row["label"], row["predicted"]) for row in rows]
    assert [value for _, value in tiles[:2]] == [str(rows.count((1, 0))), str(rows.count((0, 1)))]
    assert [value for _, value in tiles[2:]] == ["0.646", "0.944", "0.855", "0.911"] and "forgives blobs, 0.933" in html
    assert re.search(r'<div class="oracle"><dt>Pixel F1 oracle</dt><dd><b>0.789</b>.*not reachable', html)
    for text in ("pauta mean + 3.0 std", "6 normal calibration images", "only 6 calibration images", "4.25 s"):
        assert text in html


def test_the_page_opens_with_one_sentence_and_says_when_and_by_which_code_it_was_made(tmp_path):
    fabricate_run(tmp_path / "run")
    change_result(
        tmp_path / "run", lambda result: result.update(date="2026-11-22T09:12:40+00:00", commit="abc1234-dirty")
    )
    html = page_of(tmp_path / "run")
    assert re.search(r'<p class="verdict">[^<]*defective images? found[^<]*</p>', html)
    assert "22 November 2026, 09:12 UTC" in html and "<code>abc1234-dirty</code>" in html
    assert html.index('class="verdict"') < html.index('class="tiles"') < html.index('class="terms"')


def test_a_run_of_a_sweep_leads_to_the_sweeps_page_and_marks_what_differs_from_the_preset(tmp_path):
    run = tmp_path / "runs" / "a"
    fabricate_run(run)
    assert 'class="changed"' not in page_of(run) and "part of the sweep" not in page_of(run)
    (tmp_path / "sweep.json").write_text(json.dumps({"title": EVIL}))
    config = configuration.get("renet_d", "paper")
    config.train.steps = 7
    (run / "config.json").write_text(configuration.to_json(config))
    html = page_of(run)
    assert '<a href="../../sweep.html">' in html and "<script>alert" not in html
    changed = re.findall(
        r'<div class="changed"><dt>(.*?)</dt><dd>(.*?) <small class="quiet">preset: (.*?)</small>', html
    )
    assert changed == [("train.steps", "7", str(configuration.get("renet_d", "paper").train.steps))]
    elsewhere = run_page.write_report(run, out=tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    assert '<a href="../sweep.html">' in elsewhere


def test_what_was_found_of_painted_flaws_stands_beside_the_thresholds(tmp_path):
    fabricate_run(tmp_path / "run")
    assert "painted on held-out" not in page_of(tmp_path / "run")
    path = tmp_path / "run" / "result.json"
    result = json.loads(path.read_text())
    result["figures"]["painted"] = {"image": {"auroc": 0.771}, "pixel": {"auroc": 0.882, "ap": 0.443}}
    path.write_text(json.dumps(result))
    html = page_of(tmp_path / "run")
    assert "image AUROC <b>0.771</b>, pixel AUROC <b>0.882</b>, pixel AP <b>0.443</b>" in html


def test_the_flaws_it_was_taught_are_shown(tmp_path):
    fabricate_run(tmp_path / "run")
    sheet = tmp_path / "run" / "flaws.png"
    assert 'class="sheet"' not in page_of(tmp_path / "run")
    files.write_png(sheet, np.full((20, 30, 3), 90, np.uint8))
    encoded = re.search(r'class="sheet" src="data:image/webp;base64,([^"]+)"', page_of(tmp_path / "run"))[1]
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).size == (30, 20)
    sheet.write_bytes(b"no picture")
    html = page_of(tmp_path / "run")
    assert 'class="sheet"' not in html and "flaws.png is not shown" in html


@pytest.mark.parametrize("gap", GAPS)
def test_what_is_missing_leaves_the_rest_of_the_page(tmp_path, gap):
    fabricate_gap(tmp_path / "run", gap)
    html = page_of(tmp_path / "run")
    data_of(html)
    visible = re.sub(r"<(script|style).*?</\1>", "", html, flags=re.S)
    assert "renet_d" in visible and not re.search(r">\s*(None|nan|null|undefined)\s*<", visible)
    if gap == "no reconstruction":
        assert 'data-view="map"' in html and 'data-view="residual"' not in html
    if gap == "no truth":
        assert 'data-view="predicted"' in html and 'data-view="truth"' not in html


def test_where_only_images_were_judged_nothing_is_said_of_pixels(tmp_path):
    fabricate_gap(tmp_path / "run", "only images judged")
    html = page_of(tmp_path / "run")
    tiles = re.findall(r'<div class="tile [^"]*"><dt>(.*?)</dt><dd>(.*?)</dd>', html)
    assert tiles[2:] == [("Image AUROC", "0.911"), ("Image F1", "0.500")]
    visible = re.sub(r'<(script|style|details class="terms").*?</(script|style|details)>', "", html, flags=re.S)
    assert set(re.findall(r"[^<>]*\b(?:[Pp]ixel|PRO)\b[^<>]*", visible)) <= {"Pixel threshold", "pixel F1 0.25"}
    assert 'data-level="pixel"' not in visible and 'data-level="image"' in visible
    assert 'data-view="map"' in html  # Maps there are, though nobody knows how good they are.


def test_a_lost_image_is_said_and_costs_only_itself(tmp_path):
    fabricate_run(tmp_path / "run")
    images = tmp_path / "run" / "images"
    (images / "000.npz").write_bytes(b"PK\x03\x04 half a file")
    (images / "001.npz").unlink()
    html = page_of(tmp_path / "run")
    assert "images/000.npz is not shown" in html and "images/001.npz is not shown: the file is missing" in html
    assert html.count("<article") == 2


def test_images_outside_of_the_run_are_refused(tmp_path):
    fabricate_run(tmp_path / "run")
    (tmp_path / "run" / "images" / "index.json").write_text('[{"file": "../000.npz", "id": "x"}]')
    with pytest.raises(ValueError, match="index.json.*not a plain file name"):
        run_page.write_report(tmp_path / "run")


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "not valid JSON"),
        ("{}", "lacks detector"),
        ("[]", "an object is asked for"),
        ('{"detector": 1}', "dataset"),
    ],
)
def test_a_broken_result_is_one_clear_error_and_keeps_the_old_page(tmp_path, text, message):
    fabricate_run(tmp_path / "run")
    before = page_of(tmp_path / "run")
    (tmp_path / "run" / "result.json").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        run_page.write_report(tmp_path / "run")
    assert "result.json" in str(error.value)
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8") == before


def test_a_score_that_is_no_number_is_named_with_its_row(tmp_path):
    rows = fabricate_run(tmp_path / "run")
    path = tmp_path / "run" / "predictions.csv"
    path.write_text(path.read_text().replace(str(rows[1]["score"]), "high"))
    with pytest.raises(ValueError, match="predictions.csv, row 3.*high"):
        run_page.write_report(tmp_path / "run")


def test_a_failed_write_leaves_the_old_page_and_no_scraps(tmp_path, monkeypatch):
    fabricate_run(tmp_path / "run")
    before = page_of(tmp_path / "run")
    files = sorted(tmp_path.rglob("*"))

    def refuse(source, target):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        run_page.write_report(tmp_path / "run")
    assert sorted(tmp_path.rglob("*")) == files
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8") == before
