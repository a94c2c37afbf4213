"""The page of a sweep, without a browser: values, differences, escaping, and what is left where a thing is missing."""

import base64
import hashlib
import io
import itertools
import json
import re

import numpy as np
import pytest
from PIL import Image

from launch.page import beside
from launch.page.sweep import answer, heat, shown, signed, table, write_sweep_page

EVIL = """<script>alert("1")</script>' onload="x" & co"""
FIGURES = [
    {"key": "pixel.f1", "title": "Pixel F1", "better": "high", "unit": ""},
    {"key": "image.auroc", "title": "Image AUROC", "better": "high", "unit": ""},
    {"key": "score_ms", "title": "Time of a picture", "better": "low", "unit": "ms"},
]
ALPHA = ("alpha", ["0", "0.15", "0.5", "1"], [0.0, 0.15, 0.5, 1.0])
LOSS = ("loss", ["mse", "ssim", "mae+ssim"], None)
PICTURES = ("pictures", ["irregular", "regular"], None)


def fabricate(*axes, seeds=(0, 1, 2), paper=True, status=None):
    """Results of a sweep: the n-th setting scores 0.5 + 0.1 n, each seed 0.02 more, and the paper's value is 0.55 flat.

    status(at, seed) tells what became of a run.
    """
    rows, cells = [], []
    for place, values in enumerate(itertools.product(*(axis[1] for axis in axes))):
        at = {axis[0]: value for axis, value in zip(axes, values, strict=True)}
        here = []
        for seed in seeds:
            figures = {"pixel.f1": 0.5 + 0.1 * place + 0.02 * seed, "image.auroc": 0.9, "score_ms": 30.0 - place}
            name = "-".join(f"{key}={value}" for key, value in [*at.items(), ("seed", seed)])
            became = status(at, seed) if status else "finished"
            done = became == "finished"
            here += [figures] if done else []
            error = {"error": "ValueError: no such loss", "traceback": "Traceback\n  line 1"}
            rows.append(
                {"name": name, "at": at, "seed": seed, "status": became, "figures": figures if done else {},
                 "seconds": 61.25 if done else None, "command": f"python -m launch.train seed={seed}",
                 "error": error if became == "failed" else None, "shared_with": None}
            )  # fmt: skip
        keys = [figure["key"] for figure in FIGURES] if here else []
        cells.append(
            {"at": at, "finished": len(here), "failed": [row["status"] for row in rows[-len(seeds):]].count("failed"),
             "mean": {key: float(np.mean([figures[key] for figures in here])) for key in keys},
             "std": {key: float(np.std([f[key] for f in here], ddof=1)) if len(here) > 1 else None for key in keys},
             "paper": {"pixel.f1": 0.55} if paper else {}}
        )  # fmt: skip
    return {
        "name": "table4", "title": "Weight of L1 against SSIM", "about": "How the two terms are best weighed.",
        "source": "ReNet-D, Table 4", "command": "python -m launch.sweep table4 --quick", "size": "quick",
        "axes": [{"name": name, "values": values, "numbers": numbers} for name, values, numbers in axes],
        "datasets": [{"pictures": "", "name": "nanotwice", "root": "data/nanotwice",
                      "counts": {"train": 20, "calibration": 5, "test_good": 8, "test_defective": 17}}],
        "seeds": list(seeds), "figures": FIGURES, "rows": rows, "cells": cells,
        "unfilled": [{"at": {"kind": "tape"}, "figure": "pixel.f1", "value": 0.2, "why": "no run has tape"}],
        "notes": ["regular pictures stand in"],
    }  # fmt: skip


def train(results, *, steps=3, **values):
    """The same results with a training of each setting: the n-th logs loss 1 / step + n and the given values."""
    step = [50 * (index + 1) for index in range(steps)]
    trainings = [
        {"at": cell["at"], "seed": 0,
         "logged": {"step": step, **values, "loss": [1 / at + place for at in step]}}
        for place, cell in enumerate(results["cells"])
    ]  # fmt: skip
    return results | {"trainings": trainings}


def store_pictures(folder, results, ids=("test/a/0", "test/b/1"), size=(96, 128), **without):
    """Pictures of every finished run: setting n has a map whose hot spot, where the defect is, measures n + 1."""
    places = {json.dumps(cell["at"]): place for place, cell in enumerate(results["cells"])}
    for row in results["rows"]:
        if row["status"] != "finished":
            continue
        home = folder / "runs" / row["name"] / "pictures"
        home.mkdir(parents=True)
        index = []
        for number, id in enumerate(ids):
            generator = np.random.default_rng(number)
            truth = np.zeros(size, np.uint8)
            truth[20:40, 30 : 50 + 9 * number] = 1
            arrays = {"image": generator.integers(90, 160, (*size, 1), np.uint8), "truth": truth}
            arrays["mask"] = np.roll(truth, places[json.dumps(row["at"])], axis=1)
            arrays["map"] = (generator.random(size) / 10 + truth * (1 + places[json.dumps(row["at"])])).astype("f4")
            kept = {name: values for name, values in arrays.items() if without.get(name, True)}
            np.savez(home / f"{number:03d}.npz", **kept)
            index.append({"file": f"{number:03d}.npz", "id": id})
        (home / "index.json").write_text(json.dumps(index))


def page_of(results, folder):
    return write_sweep_page(results, folder).read_text(encoding="utf-8")


def data_of(html):
    return json.loads(re.search(r'<script type="application/json" id="sweep-data">(.*?)</script>', html, re.S)[1])


def words_of(html):
    """What a reader sees without scripts, as words."""
    bare = re.sub(r"<(script|style).*?</\1>", " ", html, flags=re.S)
    return " ".join(re.sub(r"<[^>]*>", " ", bare).split())


def rows_of(html, figure):
    """The table of settings of the n-th figure, as lists of texts."""
    settings = html[html.index('<section id="settings">') : html.index('<section id="pictures">')]
    body = settings.split('class="of-figure"')[figure + 1].split("<tbody>")[1].split("</tbody>")[0]
    return [
        [words_of(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)] for row in body.split("</tr>")[:-1]
    ]


def test_the_answer_names_the_best_setting_and_the_papers():
    results = fabricate(ALPHA)
    results["cells"][1]["paper"] = {"pixel.f1": 0.93}
    said = answer(results, FIGURES[0], ["alpha"], {})
    assert said["here"]["label"] == "alpha 1" and said["here"]["mean"] == pytest.approx(0.82)
    assert said["paper"]["label"] == "alpha 0.15" and said["paper"]["paper"] == 0.93 and not said["same"]
    assert said["here"]["std"] == pytest.approx(0.02) and said["close"] == []


def test_settings_as_good_as_the_papers_best_are_not_hidden_behind_it():
    said = answer(fabricate(ALPHA), FIGURES[0], ["alpha"], {})  # The paper's values are all 0.55.
    assert said["paper"]["label"] == "alpha 0 and 3 more alike" and said["same"]


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
    results = fabricate(ALPHA, PICTURES)
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


def test_different_pictures_get_answers_of_their_own(tmp_path):
    words = words_of(page_of(fabricate(LOSS, PICTURES), tmp_path))
    assert "On pictures irregular Pixel F1 is best with loss mae+ssim" in words
    assert "On pictures regular Pixel F1 is best with loss mae+ssim" in words


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
    for text in ("ReNet-D, Table 4", "quick size", "nanotwice", "Seeds 0, 1, 2", "regular pictures stand in"):
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
    results = train(fabricate(LOSS, PICTURES), l1=[0.3, None, 0.1], ssim=[None] * 3)
    results["trainings"][2]["logged"]["mse"] = [0.5, 0.4, float("nan")]
    html = page_of(results, tmp_path)
    section = html[html.index('<section id="training">') : html.index('<section id="pictures">')]
    assert re.findall(r'<option value="(.*?)">', section) == ["loss", "l1", "mse"]  # Nothing was logged of ssim.
    assert re.findall(r'data-set="(.*?)"', section) == ["irregular", "regular"] and 'href="#training"' in html
    assert data_of(html)["trainings"][2]["logged"]["mse"] == [0.5, 0.4, None]


@pytest.mark.parametrize("trainings", [None, [], [{"at": {}, "seed": 0, "logged": {"step": [50], "loss": [None]}}]])
def test_without_a_logged_value_there_is_no_section_of_training(tmp_path, trainings):
    html = page_of(fabricate(LOSS) | {"trainings": trainings}, tmp_path)
    assert "Training" not in words_of(html) and 'href="#training"' not in html


def test_logged_names_cannot_become_markup(tmp_path):
    results = spoil(train(fabricate(LOSS, PICTURES), **{EVIL: [1.0, 2.0, 3.0]}))
    for entry in results["trainings"]:
        entry["at"]["pictures"] = EVIL
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


def by_kind(results):
    """The same results with a setting and a row for each of three kinds of defect, where there is a finished run."""
    kinds = {"tape": 0.0, "hole": 0.05, "fold": 0.1}

    def split(entry, done):
        if not done:
            return [entry]
        spread = []
        for kind, more in kinds.items():
            part = "figures" if "figures" in entry else "mean"
            numbers = {key: value + more for key, value in entry[part].items()}
            spread.append(entry | {"at": entry["at"] | {"kind": kind}, part: numbers})
        return spread

    rows = [part for row in results["rows"] for part in split(row, row["status"] == "finished")]
    cells = [part for cell in results["cells"] for part in split(cell, cell["finished"])]
    axes = [*results["axes"], {"name": "kind", "values": list(kinds), "numbers": None}]
    return results | {"rows": rows, "cells": cells, "axes": axes}


LISTS = ("rows", "cells", "datasets", "seeds", "notes", "unfilled")
GAPS = {
    "by kind": lambda: by_kind(fabricate(ALPHA, LOSS, status=lambda _, seed: "failed" if seed else "finished")),
    "kinds alone": lambda: by_kind(fabricate()),
    "no axis": lambda: fabricate(status=lambda at, seed: "unfinished"),
    "nothing finished": lambda: fabricate(ALPHA, PICTURES, status=lambda at, seed: "unfinished"),
    "all failed": lambda: fabricate(ALPHA, status=lambda at, seed: "failed"),
    "no paper": lambda: fabricate(LOSS, PICTURES, paper=False),
    "one setting": lambda: fabricate(("kind", ["only"], None), seeds=(0,)),
    "three axes": lambda: fabricate(ALPHA, LOSS, PICTURES, seeds=(0, 1)),
    "one setting failed": lambda: fabricate(LOSS, status=lambda at, _: "failed" if at["loss"] == "mse" else "finished"),
    "nothing at all": lambda: fabricate(ALPHA) | {name: [] for name in LISTS},
    "long names": lambda: fabricate(("an_axis_" * 9, ["an_unbroken_name_" * 9, "short", EVIL], None), PICTURES),
    "thirty trainings": lambda: train(fabricate(("x", list("0123456789"), list(map(float, range(10)))), LOSS)),
    "one logged step": lambda: train(fabricate((EVIL, ["an_unbroken_name_" * 9, EVIL], None), PICTURES), steps=1),
    "sixty runs": lambda: fabricate(("x", [str(x) for x in range(20)], list(map(float, range(20))))),
}  # fmt: skip


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


def decode(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))).convert("L"))


def test_the_maps_of_a_picture_share_a_scale_over_all_settings(tmp_path):
    results = fabricate(ALPHA)
    store_pictures(tmp_path, results)
    _, pictures, notes = beside.beside(results, tmp_path)
    assert notes == [] and [picture["id"] for picture in pictures] == ["test/a/0", "test/b/1"]
    spots = [decode(shot["map"])[25:35, 35:45].mean() for shot in pictures[0]["shots"].values()]
    values = [pictures[0]["low"] + spot / 255 * (pictures[0]["high"] - pictures[0]["low"]) for spot in spots]
    np.testing.assert_allclose(values, [1.05, 2.05, 3.05, 4.05], atol=0.08)  # Lossy, and noise of 0.1.


def test_the_first_finished_seed_is_shown(tmp_path):
    results = fabricate(ALPHA, status=lambda at, seed: "failed" if seed == 0 and at["alpha"] == "0" else "finished")
    names = [setting["run"] for setting in beside.settings_of(results)]
    assert names == ["alpha=0-seed=1", "alpha=0.15-seed=0", "alpha=0.5-seed=0", "alpha=1-seed=0"]


def test_pictures_of_another_set_do_not_mix_even_under_one_name(tmp_path):
    results = fabricate(LOSS, PICTURES, seeds=(0,))
    store_pictures(tmp_path, results, ids=("test/a/0",))
    _, pictures, _ = beside.beside(results, tmp_path)
    assert [(picture["set"], sorted(picture["shots"])) for picture in pictures] == [
        ("irregular", [0, 2, 4]), ("regular", [1, 3, 5])
    ]  # fmt: skip


def test_a_page_of_sixty_runs_stays_below_ten_megabytes(tmp_path):
    results = fabricate(("x", [str(x) for x in range(20)], None))
    store_pictures(tmp_path, results, ids=("a", "b", "c"), size=(400, 300))
    assert 1e5 < write_sweep_page(results, tmp_path).stat().st_size < 1e7


def test_a_thin_scratch_survives_being_shrunk():
    mask = np.zeros((1024, 1024), np.uint8)
    mask[:, 500] = 1
    small = beside.shrink("mask", mask)
    assert small.shape == (256, 256) and small.any(axis=1).all() and small.any(axis=0).sum() == 1


@pytest.mark.parametrize("gone", ["map", "mask", "truth"])
def test_pictures_lack_only_what_the_runs_lack(tmp_path, gone):
    results = fabricate(ALPHA, seeds=(0,))
    store_pictures(tmp_path, results, **{gone: False})
    picture = beside.beside(results, tmp_path)[1][0]
    found = {"map": picture["shots"][0]["map"], "mask": picture["shots"][0]["mask"], "truth": picture["truth"]}
    assert {name for name, uri in found.items() if uri is None} == {gone}


def test_a_lost_picture_is_said_and_costs_only_itself(tmp_path):
    results = fabricate(ALPHA, seeds=(0,))
    store_pictures(tmp_path, results)
    (tmp_path / "runs" / "alpha=0-seed=0" / "pictures" / "000.npz").write_bytes(b"PK\x03\x04 half a file")
    (tmp_path / "runs" / "alpha=1-seed=0" / "pictures" / "index.json").write_text('[{"file": "../0.npz", "id": "x"}]')
    _, pictures, notes = beside.beside(results, tmp_path)
    assert sorted(pictures[0]["shots"]) == [1, 2] and len(notes) == 2
    assert "alpha=0-seed=0/pictures/000.npz is not shown" in notes[0] + notes[1]
    assert "alpha=0-seed=0/pictures/000.npz is not shown" in words_of(page_of(results, tmp_path))


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


def test_every_set_of_pictures_has_its_best_setting(tmp_path):
    html = page_of(fabricate(LOSS, PICTURES), tmp_path)
    settings = html[html.index('<section id="settings">') :]
    bold = re.findall(r'<tr class="best">(.*?)</tr>', settings.split('class="of-figure"')[1], re.S)
    assert [words_of(row).split()[:2] for row in bold] == [["mae+ssim", "irregular"], ["mae+ssim", "regular"]]


def test_kinds_of_defect_are_measured_apart_in_the_same_runs(tmp_path):
    results = fabricate(ALPHA, status=lambda at, seed: "unfinished" if at["alpha"] == "1" else "finished")
    store_pictures(tmp_path, results)
    results = by_kind(results)
    html = page_of(results, tmp_path)
    assert "on each of 3 sets of pictures" in words_of(html) and "9 of 12 finished, 3 unfinished" in words_of(html)
    assert "kind hole alpha 0.5 0.770 ± 0.020" in words_of(html)
    settings, pictures, _ = beside.beside(results, tmp_path)
    assert [setting["label"] for setting in settings] == ["alpha 0", "alpha 0.15", "alpha 0.5", "alpha 1"]
    assert [sorted(picture["shots"]) for picture in pictures] == [[0, 1, 2], [0, 1, 2]]
