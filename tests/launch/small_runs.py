"""What makes a run small, and what it leaves."""

import csv
import json

import numpy as np
from PIL import Image

from launch.run.history import read_history
from tests import tiny

SMALL = [
    "--detector", "renet_d", *tiny.words("renet_d"), "data.options.size=64", "data.options.surfaces=(3,)",
    "data.options.train=6", "data.options.test_good=3", "data.options.test_defective=4",
]  # fmt: skip


def result_of(workdir):
    return json.loads((workdir / "result.json").read_text())


def history_of(workdir):
    return read_history(workdir / "history.jsonl")[0]


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def whole(detector):
    """What makes a run small of a detector that sees whole images."""
    return [
        "--detector", detector, *tiny.words(detector), "data.options.size=64", "data.options.surfaces=(3,)",
        "data.options.train=6", "data.options.test_good=2", "data.options.test_defective=3", "train.steps=10",
        "train.save_every=10",
    ]  # fmt: skip


def write(path, *shape, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(90, 160, shape, np.uint8)).save(path)
