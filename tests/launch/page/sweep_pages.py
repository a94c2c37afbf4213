"""Made-up results of sweeps, their pages, and what a reader finds on them."""

import itertools
import json
import re

import numpy as np

from launch.page.sweep_page import write_sweep_page

EVIL = """<script>alert("1")</script>' onload="x" & co"""
FIGURES = [
    {"key": "pixel.f1", "title": "Pixel F1", "better": "high", "unit": ""},
    {"key": "image.auroc", "title": "Image AUROC", "better": "high", "unit": ""},
    {"key": "score_ms", "title": "Time of an image", "better": "low", "unit": "ms"},
]
ALPHA = ("alpha", ["0", "0.15", "0.5", "1"], [0.0, 0.15, 0.5, 1.0])
LOSS = ("loss", ["mse", "ssim", "mae+ssim"], None)
IMAGES = ("images", ["irregular", "regular"], None)


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
        "datasets": [{"images": "", "name": "nanotwice", "root": "data/nanotwice",
                      "counts": {"train": 20, "calibration": 5, "test_good": 8, "test_defective": 17}}],
        "seeds": list(seeds), "figures": FIGURES, "rows": rows, "cells": cells,
        "unfilled": [{"at": {"kind": "tape"}, "figure": "pixel.f1", "value": 0.2, "why": "no run has tape"}],
        "notes": ["regular images stand in"],
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


def store_images(folder, results, ids=("test/a/0", "test/b/1"), size=(96, 128), **without):
    """Images of every finished run: setting n has a map whose hot spot, where the defect is, measures n + 1."""
    places = {json.dumps(cell["at"]): place for place, cell in enumerate(results["cells"])}
    for row in results["rows"]:
        if row["status"] != "finished":
            continue
        home = folder / "runs" / row["name"] / "images"
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
    settings = html[html.index('<section id="settings">') : html.index('<section id="images">')]
    body = settings.split('class="of-figure"')[figure + 1].split("<tbody>")[1].split("</tbody>")[0]
    return [
        [words_of(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)] for row in body.split("</tr>")[:-1]
    ]


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
    "nothing finished": lambda: fabricate(ALPHA, IMAGES, status=lambda at, seed: "unfinished"),
    "all failed": lambda: fabricate(ALPHA, status=lambda at, seed: "failed"),
    "no paper": lambda: fabricate(LOSS, IMAGES, paper=False),
    "one setting": lambda: fabricate(("kind", ["only"], None), seeds=(0,)),
    "three axes": lambda: fabricate(ALPHA, LOSS, IMAGES, seeds=(0, 1)),
    "one setting failed": lambda: fabricate(LOSS, status=lambda at, _: "failed" if at["loss"] == "mse" else "finished"),
    "nothing at all": lambda: fabricate(ALPHA) | {name: [] for name in LISTS},
    "long names": lambda: fabricate(("an_axis_" * 9, ["an_unbroken_name_" * 9, "short", EVIL], None), IMAGES),
    "thirty trainings": lambda: train(fabricate(("x", list("0123456789"), list(map(float, range(10)))), LOSS)),
    "one logged step": lambda: train(fabricate((EVIL, ["an_unbroken_name_" * 9, EVIL], None), IMAGES), steps=1),
    "sixty runs": lambda: fabricate(("x", [str(x) for x in range(20)], list(map(float, range(20))))),
}  # fmt: skip
