"""The report page, without a browser: what is written, escaped, ordered and refused."""

import base64
import hashlib
import io
import json
import math
import re
import shlex

import numpy as np
import pytest
from PIL import Image

from launch import report
from launch.command import configuration as configs
from launch.command import start
from launch.page import images as report_images
from launch.page import render, run_page
from launch.page import run_folder as report_run
from tests.run_pages import EVIL, GAPS, THRESHOLD, change_result, data_of, fabricate_gap, fabricate_run, page_of


def decode(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))))


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


def test_misses_lead_then_false_alarms_then_the_rest_by_score():
    def row(id, label, score):
        return report_run.Prediction(id, "", "", label, score, 0.5, int(score > 0.5), None, None, None)

    rows = [row("passed", 0, 0.1), row("far miss", 1, 0.1), row("alarm", 0, 0.6), row("found", 1, 0.9)]
    rows += [row("near miss", 1, 0.4), row("loud alarm", 0, 0.8), row("barely found", 1, 0.55)]
    order = [rows[place].id for place in report_run.worst_first(rows)]
    assert order == ["far miss", "near miss", "loud alarm", "alarm", "found", "barely found", "passed"]


def test_the_images_stand_worst_first(tmp_path):
    rows = fabricate_run(tmp_path / "run", kinds=("good", "crack") * 6, shown=12)
    ids = re.findall(r'<article [^>]*data-id="([^"]*)"', page_of(tmp_path / "run"))
    margin = {row["id"]: row["score"] - THRESHOLD for row in rows}
    misses = [row["id"] for row in rows if row["label"] and not row["predicted"]]
    alarms = [row["id"] for row in rows if not row["label"] and row["predicted"]]
    rest = [row["id"] for row in rows if row["label"] == row["predicted"]]
    assert misses and alarms and rest  # Otherwise the order says nothing.
    assert ids == sorted(misses, key=margin.get) + sorted(alarms, key=lambda id: -margin[id]) + sorted(
        rest, key=lambda id: -margin[id]
    )


def test_headline_figures_keep_the_oracle_apart(tmp_path):
    fabricate_run(tmp_path / "run")
    html = page_of(tmp_path / "run")
    tiles = re.findall(r'<div class="tile ([^"]*)"><dt>(.*?)</dt><dd>(.*?)</dd>', html)
    plain = [(title, value) for kind, title, value in tiles if not kind]
    assert plain == [("Image AUROC", "0.911"), ("Pixel AUROC", "0.933"), ("PRO", "0.855"), ("Pixel F1", "0.646")]
    assert [(title, value) for kind, title, value in tiles if kind == "oracle"] == [("Pixel F1 oracle", "0.789")]
    for text in ("pauta mean + 3.0 std", "6 normal calibration images", "only 6 calibration images", "4.25 s"):
        assert text in html


@pytest.mark.parametrize("channels", [1, 3])
def test_maps_and_masks_travel_without_loss(tmp_path, channels):
    fabricate_run(tmp_path / "run", shown=2, channels=channels)
    images, scales, notes = report_images.read_images(tmp_path / "run" / "images", pixel_threshold=0.7)
    assert notes == []
    for number, image in enumerate(images):
        views = {name: decode(uri) for name, _, uri in image.views}
        arrays = np.load(tmp_path / "run" / "images" / f"{number:03d}.npz")
        np.testing.assert_array_equal(views["map"][..., 0], scales["map"].quantise(arrays["map"]))
        np.testing.assert_array_equal(views["truth"], arrays["truth"].astype(bool))
        np.testing.assert_array_equal(views["predicted"], arrays["mask"].astype(bool))
        assert views["input"].shape[:2] == arrays["image"].shape[:2]


def test_a_colour_means_the_same_value_in_every_image():
    dark, bright = np.full((4, 4), 0.25, np.float16), np.linspace(0, 1, 16, dtype=np.float16).reshape(4, 4)
    scale = report_images.shared_scale([report_images.extent(dark), report_images.extent(bright)])
    for values in (dark, bright):
        restored = scale.low + scale.quantise(values) / 255 * (scale.high - scale.low)
        inside = values <= scale.high
        np.testing.assert_allclose(restored[inside], values[inside], atol=(scale.high - scale.low) / 510 + 1e-6)


def test_the_pixel_threshold_stays_visible_on_the_colour_scale():
    for largest in (0.1, 1.0, 1e4):
        low, high = report_images.shared_scale([(0.0, largest)], threshold=0.5)
        assert 0.25 <= (0.5 - low) / (high - low) <= 1.0


def test_values_that_are_not_finite_do_not_spoil_the_scale():
    values = np.array([[0.0, 1.0], [np.nan, np.inf]], np.float16)
    scale = report_images.shared_scale([report_images.extent(values), report_images.extent(values * np.nan)])
    np.testing.assert_array_equal(scale.quantise(values), [[0, 255], [0, 255]])
    assert report_images.shared_scale([None]).quantise(np.zeros((2, 2))).max() == 0


def test_images_longer_than_webp_allows_are_still_written():
    strip = np.zeros((2, report_images.WEBP_LIMIT + 1), np.uint8)
    strip[:, ::2] = 200
    np.testing.assert_array_equal(decode(report_images.data_uri(strip, quality=None)), strip)
    assert decode(report_images.data_uri(strip, quality=90)).shape == strip.shape


@pytest.mark.parametrize("shape, size", [("wide", (256, 4096)), ("tall", (400, 255)), ("even", (512, 512))])
def test_views_are_laid_out_by_the_shape_of_the_image(shape, size):
    assert report_images.ShownImage("id", *size, []).shape == shape


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


def test_a_folder_that_is_no_run_is_refused(tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match="result.json is missing"):
        run_page.write_report(tmp_path)
    with pytest.raises(SystemExit) as stop:
        start.run(report.main, [str(tmp_path)])
    assert stop.value.code == 1 and "error:" in "".join(capsys.readouterr())
    assert list(tmp_path.iterdir()) == []


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


def test_the_page_goes_where_it_is_told(tmp_path):
    fabricate_run(tmp_path / "run")
    page = report.main([str(tmp_path / "run"), "--out", str(tmp_path / "page.html")])
    assert page == tmp_path / "page.html" and "renet_d" in page.read_text(encoding="utf-8")
    assert not (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["train.steps=7", "data.scale=0.5", "settings.widths=4,6,8"],
        ["data.options.surfaces=(1, 2)", "train.feed=stream"],
    ],
)
def test_the_command_on_the_page_makes_the_same_config(tmp_path, overrides):
    config = configs.get("renet_d", "tiny")
    config.data.root = "/images of mine/it's"
    configs.override(config, overrides)
    (tmp_path / "config.json").write_text(configs.to_json(config))
    words = shlex.split(report_run.command(tmp_path / "config.json"))
    assert words[:3] == ["python", "-m", "launch.train"]
    again = configs.from_arguments(configs.parser("").parse_args(words[3:]))
    assert again.to_dict() == config.to_dict()


def test_a_config_of_nobody_gives_no_command(tmp_path):
    assert report_run.command(tmp_path / "config.json") is None
    for text in ('{"detector": "gone", "preset": ""}', "{}", "{", "[]"):
        (tmp_path / "config.json").write_text(text)
        assert report_run.command(tmp_path / "config.json") is None


def test_timings_are_shown_with_their_units():
    timings = {"train_s": 4.25, "steps": 100, "steps_per_s": 9.5, "score_ms_per_image": 3.123456, "compile_s": None}
    expected = {
        "train": "4.25 s",
        "steps": "100",
        "steps per s": "9.5",
        "score": "3.123 ms per image",
        "compile": "– s",
    }
    assert dict(render.with_unit(timings)) == expected


def test_a_killed_run_still_has_a_loss_curve(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text('{"step": 0, "loss": 2.0}\n{"step": 10, "loss": NaN, "lr": 0.1}\n{"step": 20, "lo')
    history, unreadable = report_run.read_history(path)
    assert unreadable == 1 and history["step"] == [0, 10] and history["lr"] == [None, 0.1]
    assert math.isnan(history["loss"][1])
    assert json.loads(run_page.as_json(history)) == {"step": [0, 10], "loss": [2.0, None], "lr": [None, 0.1]}


def test_long_histories_are_thinned(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text("".join(f'{{"step": {step}, "loss": 1.0}}\n' for step in range(report_run.CURVE_POINTS * 3 + 1)))
    steps = report_run.read_history(path)[0]["step"]
    assert report_run.CURVE_POINTS / 2 <= len(steps) <= report_run.CURVE_POINTS and len(set(np.diff(steps))) == 1
