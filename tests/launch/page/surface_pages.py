"""Made-up runs that tell surfaces apart and a made-up two-stage system, with images, for tests of their pages."""

import csv
import html
import json
import re

import numpy as np
from sklearn import metrics

from configs.attributes import DAGM, read_attributes
from launch.page.system_page import OUTCOMES
from launch.system import outcomes
from tests.launch.page.run_pages import EVIL, change_result, fabricate_run

NAMES = [f"Class{number}" for number in range(1, 11)]
UNSEEN = ["Class8", "Class10"]
TAU = 0.3


def told_apart(counts, *, unseen=UNSEEN):
    """result.json's surfaces, where counts of images [K][K + 1] were taken for the K surfaces or raised the alarm."""
    words, table = read_attributes(DAGM)
    draw = np.random.default_rng(2)
    predicted = {
        name: np.clip(np.array(row) + draw.normal(0, 0.12, len(row)), -0.05, None) for name, row in table.items()
    }
    predicted = {name: (row / np.linalg.norm(row)).tolist() for name, row in predicted.items()}
    assigned = {name: list(row) for name, row in table.items()}
    attributes = {"names": list(words), "assigned": assigned, "predicted": predicted}
    return {"names": NAMES, "unseen": list(unseen), "confusion": np.asarray(counts).tolist(), "attributes": attributes}


def routed_counts(*, images=60, wrong=3):
    """Ten surfaces of which Class8 and Class10 were never learnt: most raise the alarm, a few are taken for Class4."""
    counts = np.zeros((10, 11), int)
    for place, name in enumerate(NAMES):
        right = 10 if name in UNSEEN else place
        counts[place, right] += images - 3 * wrong * (name == "Class8") - wrong
        counts[place, 3 if right == 10 else 10] += wrong
        counts[place, 5] += 3 * wrong * (name == "Class8")
    return counts


def fabricate_surfaces(folder, *, figures=None, counts=None):
    """A run folder of fabricate_run as of a detector that tells surfaces apart; Class8 and Class10 are unseen."""
    kinds = ["good"] * 80 + ["Class8", "Class10"] * 10
    fabricate_run(folder, kinds=kinds, shown=0, size=(24, 24))
    draw, index = np.random.default_rng(4), []
    with (folder / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        row["surface"] = row["kind"] if row["kind"] in UNSEEN else NAMES[:7][number % 7]
        row["score"] = round(float(draw.gamma(4, 0.05 if row["kind"] == "good" else 0.15)), 4)
        row |= {"image_threshold": TAU, "predicted": int(row["score"] > TAU), "f1": ""}
        row["routed"] = "alarm" if row["predicted"] else NAMES[number % 3] if number % 9 == 0 else row["surface"]
    with (folder / "predictions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    wrong = [n for n, row in enumerate(rows) if int(row["label"]) != row["predicted"]]
    for number in [*wrong[:5], 95]:
        image, mask = draw_image(draw, NAMES.index(rows[number]["surface"]), defective=number % 2)
        np.savez(folder / "images" / f"{number:03d}.npz", image=image, truth=mask)
        index.append({"file": f"{number:03d}.npz", "id": rows[number]["id"]})
    (folder / "images" / "index.json").write_text(json.dumps(index))

    def change(result):
        nothing = dict.fromkeys(("auroc", "ap", "pro", "precision", "recall", "f1"))
        kind = {"images": 10, "image_auroc": 0.93, "image_recall": 0.9}
        result["surfaces"] = told_apart(routed_counts() if counts is None else counts)
        result["detector"], result["thresholds"]["pixel"] = "sbad", {"value": None}
        result["thresholds"]["image"] |= {
            "value": TAU,
            "rule": "95th percentile",
            "fitted_on": "96 images of seen surfaces",
        }
        result["figures"] |= {"pixel": nothing, "by_kind": dict.fromkeys(UNSEEN, kind)}
        result["figures"]["surfaces"] = {"seen": 0.95, "unseen": 0.875, "harmonic": 0.911, "zero_shot": None} | (
            figures or {}
        )
        result["curves"]["pixel"] = {}
        result["dataset"] |= {"name": "dagm2007", "kinds": dict.fromkeys(UNSEEN, 10)}

    change_result(folder, change)
    return rows


def judge(draw, name, number):
    """A line of events.jsonl of one more image of a surface: some alarms and defects are missed, some are false."""
    unseen, defective = name in UNSEEN, number % 3 == 0
    score = float(draw.gamma(9, 0.06 if unseen else 0.02))
    surface = "Class3" if unseen else "Class1" if draw.random() < 0.03 else name
    row = {
        "id": f"{name}/{number:04d}.PNG",
        "true_surface": name,
        "defective": int(defective),
        "score": score,
        "mask": None,
    }
    row |= {"threshold": TAU, "defect_score": None, "defect_threshold": None, "error": None, "surface": None}
    row["attributes"] = ["defect colour: black", "surface texture: smooth"]
    if score > TAU:
        return row | {"event": "unseen"}
    level = float(np.clip(draw.normal(0.78 if defective else 0.22, 0.16), 0, 1))
    found = {"surface": surface, "defect_score": level, "defect_threshold": 0.5}
    return row | found | {"event": "defect" if level > 0.5 else "passed"}


def fabricate_system(folder, *, labelled=True, images=24, shown=10):
    """A folder of the system with `images` of each of ten surfaces, two of them unseen. Returns its events."""
    draw = np.random.default_rng(7)
    (folder / "images").mkdir(parents=True)
    events = [judge(draw, name, number) for name in NAMES for number in range(images)]
    kept = sorted(events, key=lambda event: list(OUTCOMES).index(outcome_of(event)))
    kept = kept[:shown] + kept[shown :: len(events) // 3]
    index = []
    for number, event in enumerate(kept):
        name = event["true_surface"]
        image, truth = draw_image(draw, NAMES.index(name), defective=event["defective"])
        arrays = {"image": image} | ({"truth": truth} if labelled else {})
        if event["event"] != "unseen":
            arrays["map"] = (0.6 * truth + draw.random(truth.shape) * 0.3).astype(np.float16)
            arrays["mask"] = (arrays["map"] > 0.65).astype(np.uint8)
        np.savez(folder / "images" / f"{number:03d}.npz", **arrays)
        index.append({"file": f"{number:03d}.npz", "id": event["id"]})
    (folder / "images" / "index.json").write_text(json.dumps(index))
    result = system_result(events) if labelled else {"distances": {"all": [event["score"] for event in events]}}
    result |= {
        "name": "two stages", "dataset": {"name": "dagm2007", "root": "data/dagm2007"}, "unseen": UNSEEN * labelled,
        "threshold": TAU, "timings": {"surface_ms": 4.2, "defect_ms": 11.8, "whole_ms": 16.4, "images_per_s": 61.0},
        "versions": {"python": "3.11"}, "hardware": {"device": "cpu"}, "warnings": [],
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result))
    if not labelled:
        events = [{k: v for k, v in event.items() if k not in ("true_surface", "defective")} for event in events]
    events = [event | {"outcome": outcome_of(event)} for event in events]
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return events


def spoil(folder):
    """Puts markup into every name of a folder of the system."""
    evil = json.dumps(EVIL)[1:-1]
    for name in ("result.json", "events.jsonl", "images/index.json"):
        text = (folder / name).read_text().replace("Class3", evil).replace("defect colour", evil)
        (folder / name).write_text(text.replace("two stages", evil).replace('"error": null', f'"error": "{evil}"'))


def outcome_of(event):
    return outcomes.outcome_of(event, UNSEEN)


def system_result(events):
    """What result.json says of labelled events."""
    seen, new = ([e for e in events if (e["true_surface"] in UNSEEN) == unseen] for unseen in (False, True))
    counts = np.zeros((10, 11), int)
    for event in events:
        counts[NAMES.index(event["true_surface"]), NAMES.index(event["surface"]) if event["surface"] else 10] += 1
    number = lambda chosen, name: sum(outcome_of(event) == name for event in chosen)
    rows, curves = {}, {}
    for name in NAMES:
        own = [event for event in events if event["true_surface"] == name]
        rows[name] = {"images": len(own), "alarms": number(own, "alarm") + number(own, "alarm on seen")}
        judged_here = [event for event in own if event["defect_score"] is not None]
        if name in UNSEEN or not judged_here:
            continue
        labels, scores = zip(*((e["defective"], e["defect_score"]) for e in judged_here), strict=True)
        precision, recall, _ = metrics.precision_recall_curve(labels, scores)
        curves[name] = np.stack([recall, precision], 1).tolist()
        rows[name] |= {"routed": sum(event["surface"] == name for event in own) / len(own), "f1": 0.9}
        rows[name] |= {"ap": float(metrics.average_precision_score(labels, scores))}
        rows[name] |= {"misses": number(own, "missed defect"), "false_alarms": number(own, "false alarm")}
    alarm, ap = number(new, "alarm") / len(new), float(np.mean([row["ap"] for row in rows.values() if "ap" in row]))
    routed = sum(event["surface"] == event["true_surface"] for event in seen) / len(seen)
    figures = {
        "alarm_on_unseen": alarm, "alarm_on_seen": number(seen, "alarm on seen") / len(seen), "routing": routed,
        "ap": ap, "precision": 0.93, "recall": 0.91, "f1": 0.92, "product": alarm * routed * ap,
        "misses": number(seen, "missed defect"), "false_alarms": number(seen, "false alarm"),
    }  # fmt: skip
    distances = {"seen": [event["score"] for event in seen], "unseen": [event["score"] for event in new]}
    return {
        "surfaces": told_apart(counts), "distances": distances, "figures": figures,
        "by_surface": rows, "curves": curves,
    }  # fmt: skip


def draw_image(draw, surface, *, defective, size=64):
    """A grating of a surface's own with noise, and a dark spot where it is defective: image [H, W, 1], mask [H, W]."""
    y, x = np.mgrid[:size, :size]
    wave = np.sin((x * np.cos(surface) + y * np.sin(surface)) / (1.5 + surface / 3))
    image = 130 + 40 * wave + draw.normal(0, 12, (size, size))
    mask = np.zeros((size, size), np.uint8)
    if defective:
        at, reach = draw.integers(12, size - 12, 2), draw.integers(4, 9)
        mask = ((y - at[0]) ** 2 / 2 + (x - at[1]) ** 2 < reach**2).astype(np.uint8)
        image = image - 55 * mask
    return np.clip(image, 0, 255).astype(np.uint8)[..., None], mask


def visible(page):
    return html.unescape(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page, flags=re.S))


def tiles(page):
    return dict(re.findall(r'<div class="tile [^"]*"><dt>(.*?)</dt><dd>(.*?)</dd>', page))
