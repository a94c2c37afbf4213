"""A sweep of seconds, for the tests of everything that runs one, and what it leaves."""

import csv
import multiprocessing
from pathlib import Path

import pytest

from launch import sweep
from tests import tiny

COMMON = {
    "train.patch": 16, "train.steps": 10, "train.log_every": 5, "train.save_every": 5, "train.batch": 8,
    "score.tile": 64, "score.overlap": 16,
}  # fmt: skip
OWN = {field: value for field, value in tiny.of("renet_d").items() if field.startswith("settings.")}  # of ReNet-D alone
SMALL = f'''"""A sweep for tests.

Some words about it.
"""

TITLE, SOURCE = "A small sweep", "nowhere"
DETECTOR, PRESET = "renet_d", "paper"
BASE = {COMMON} | {OWN}
QUICK = {{"train.steps": 5}}
IMAGES = {{"plain": {{"data.options.surfaces": (3,), "data.options.size": 64, "data.options.train": 5,
                      "data.options.test_good": 2, "data.options.test_defective": 3}}}}
AXES = ({{"settings.alpha": (0.0, 0.5)}},)
SEEDS = (0, 1)
FIGURES = ("pixel.f1", "pixel.auroc", "image.auroc")
PAPER = (({{"alpha": 0.5}}, {{"pixel.f1": 0.6}}), ({{"alpha": 0.9}}, {{"pixel.f1": 0.7}}))
'''


def write(folder: Path, *changes: tuple[str, str]) -> str:
    """The path of a sweep file with the changes made to it."""
    text = SMALL
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "small.py"
    path.write_text(text)
    return str(path)


def write_runs(folder: Path, *changes: tuple[str, str], **runs: dict) -> str:
    """The path of a sweep file of these runs, of which the first is of ReNet-D and the others are of any detector."""
    first, *others = runs
    listed = {first: OWN | runs[first], **{name: runs[name] for name in others}}
    swap = [(f" | {OWN}", ""), ('AXES = ({"settings.alpha": (0.0, 0.5)},)', f"RUNS = {listed}")]
    return write(folder, *swap, *changes)


FORKS = multiprocessing.get_context("forkserver")  # Children start with everything imported and no device touched.
FORKS.set_forkserver_preload(["launch.sweep", "data_pipeline"])


def table(folder):
    with (folder / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def run_sweep(path, folder, *options):
    return sweep.main([path, "--workdir", str(folder), *options])


def unbroken(place: Path) -> tuple[str, Path]:
    """(sweep file, folder) of a sweep that was run to its end."""
    path = write(place)
    page = run_sweep(path, place / "unbroken")
    assert page == place / "unbroken" / "sweep.html"
    return path, place / "unbroken"


def start(path, folder, *options):
    process = FORKS.Process(target=run_sweep, args=(path, folder, *options))
    process.start()
    return process


def close(one, other, tolerance):
    """Figures agree but for rounding, which may swap one of the 2 x 3 pairs of images that rank for image AUROC."""
    allowed = {"pixel.f1": tolerance, "pixel.auroc": tolerance, "image.auroc": 1 / 6 + tolerance}
    for a, b in zip(one, other, strict=True):
        assert a["run"] == b["run"] and a["status"] == b["status"] == "finished"
        for key, within in allowed.items():
            assert float(a[key]) == pytest.approx(float(b[key]), abs=within), (a["run"], key)
