"""Folders of runs made up for the tests of their pages, and what those pages say."""

import csv
import json
import re

import numpy as np

from launch.page import run_page

THRESHOLD = 0.5
EVIL = """<script>alert("1")</script>' onload="x" & co"""


def fabricate_run(
    folder, *, kinds=("good", "good", "good", "crack", "crack", "stain"), shown=4, size=(12, 16), channels=1
):
    """A small run folder with scores that overlap and `shown` images; returns the rows of predictions.csv."""
    generator = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    rows, index = [], []
    for number, kind in enumerate(kinds):
        label = int(kind != "good")
        score = round(float(generator.normal(0.4 + 0.2 * label, 0.15)), 4)
        row = {"id": f"test/{kind}/{number:03d}", "surface": "steel", "kind": kind, "label": label, "score": score}
        row |= {"image_threshold": THRESHOLD, "predicted": int(score > THRESHOLD), "defect_pixels": 9 * label}
        rows.append(row | {"predicted_pixels": 4, "precision": "", "recall": "", "f1": 0.25 if label else ""})
        if number < shown:
            truth = np.zeros(size, np.uint8)
            truth[2:5, 3:6] = label
            arrays = {"image": generator.integers(0, 256, (*size, channels), np.uint8), "truth": truth, "mask": truth}
            arrays["reconstruction"] = arrays["image"]
            arrays["map"] = generator.random(size).astype(np.float16)
            arrays["residual"] = generator.random(size).astype(np.float16)
            np.savez(folder / "images" / f"{number:03d}.npz", **arrays)
            index.append({"file": f"{number:03d}.npz", "id": row["id"]})
    write_rows(folder / "predictions.csv", rows)
    (folder / "images" / "index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps({"steps": 10, "optimizer": {"name": "adam", "rate": 1e-3}}))
    history = [{"step": step, "loss": 1 / (step + 1), "seconds": step / 2} for step in range(0, 50, 10)]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in history))
    (folder / "result.json").write_text(json.dumps(fabricate_result()))
    return rows


def write_rows(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def fabricate_result():
    curve = [[0.0, 0.0], [0.2, 0.8], [1.0, 1.0]]
    image = {"auroc": 0.911, "ap": 0.922, "precision": 0.5, "recall": 0.5, "f1": 0.5, "accuracy": 0.5}
    pixel = {"auroc": 0.933, "ap": 0.944, "pro": 0.855, "precision": 0.6, "recall": 0.7, "f1": 0.646}
    kind = {"images": 2, "image_auroc": 0.9, "image_recall": 0.5, "pixel_auroc": 0.9, "pixel_ap": None}
    fitted = {"rule": "pauta mean + 3.0 std", "fitted_on": "6 normal calibration images"}
    return {
        "name": "a run", "detector": "renet_d", "preset": "paper", "seed": 3,
        "dataset": {"name": "steel", "root": "steel", "fingerprint": "f00d", "kinds": {"crack": 2, "stain": 1}}
        | {"counts": {"train": 20, "calibration": 6, "test_good": 3, "test_defective": 3}},
        "figures": {"image": image | {"oracle": {"f1": 0.987, "threshold": 0.45}}, "by_kind": {"crack": kind}}
        | {"pixel": pixel | {"oracle": {"f1": 0.789, "threshold": 0.4}}},
        "thresholds": {"image": {"value": THRESHOLD, **fitted}, "pixel": {"value": 0.7, **fitted}},
        "curves": {"image": {"roc": curve, "pr": curve}, "pixel": {"roc": curve, "pr": curve, "pro": curve}},
        "timings": {"train_s": 4.25, "steps_per_s": 12.0, "score_ms_per_image": 3.5},
        "versions": {"python": "3.11"}, "hardware": {"device": "cpu"}, "warnings": ["only 6 calibration images"],
    }  # fmt: skip


def change_result(folder, change):
    path = folder / "result.json"
    result = json.loads(path.read_text())
    change(result)
    path.write_text(json.dumps(result))


def page_of(folder):
    return run_page.write_report(folder).read_text(encoding="utf-8")


def data_of(html):
    return json.loads(re.search(r'<script type="application/json" id="run-data">(.*?)</script>', html, re.S)[1])


def drop(*names):
    def change(folder):
        for path in (folder / "images").glob("*.npz"):
            arrays = dict(np.load(path))
            np.savez(path, **{name: values for name, values in arrays.items() if name not in names})

    return change


def no_figures(folder):
    def change(result):
        result["figures"] = {level: dict.fromkeys(values) for level, values in result["figures"].items()}
        result["thresholds"] = {"image": {"value": None}, "pixel": None}
        result |= {"curves": None, "timings": None, "versions": None, "hardware": None, "warnings": None}
        result["dataset"] = {"name": "steel", "counts": None}

    change_result(folder, change)


def only_images_judged(folder):
    def change(result):
        result["figures"]["pixel"] = dict.fromkeys(result["figures"]["pixel"])
        result["curves"]["pixel"] = {}

    change_result(folder, change)
    drop("truth")(folder)


def without(*names):
    def change(folder):
        for name in names:
            (folder / name).unlink()

    return change


def unlabelled(folder):
    with (folder / "predictions.csv").open() as file:
        rows = [row | {"label": "", "image_threshold": "", "predicted": ""} for row in csv.DictReader(file)]
    write_rows(folder / "predictions.csv", rows)


GAPS = {
    "no reconstruction": drop("reconstruction", "residual"),
    "no truth": drop("truth"),
    "no map": drop("map", "mask"),
    "null figures": no_figures,
    "only images judged": only_images_judged,
    "no images": without("images/index.json"),
    "only result.json": without("images/index.json", "predictions.csv", "history.jsonl", "config.json"),
    "no labels": unlabelled,
    "no good test images": None,
}


def fabricate_gap(folder, gap):
    kinds = ("crack", "stain") if gap == "no good test images" else ("good", "good", "crack", "stain")
    fabricate_run(folder, kinds=kinds)
    if GAPS[gap]:
        GAPS[gap](folder)
