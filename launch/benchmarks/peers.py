"""Beside anomalib: its DRAEM and GANomaly and ours learn from the same files, as many steps of as many images.

`launch.bench --against anomalib --python PYTHON` runs it. anomalib lives in an environment of its own, whose Python
runs `peer_anomalib.py`; ours is `peer_ours.py`, in a fresh process, too. Each leaves its times, scores and maps in a
folder, and figures are computed here, by one code for both.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from data_pipeline import Split, images
from jaxdefect.metrics import ranking
from launch.command import configuration, console, files, markdown
from launch.run.data import open_data

THEIRS = Path(__file__).with_name("peer_anomalib.py")
OURS = (sys.executable, "-m", f"{__package__}.peer_ours")
REMEDY = """make an environment of its own for it and name its Python:
    uv venv anomalib-env --python 3.11
    uv pip install --python anomalib-env/bin/python "anomalib[cpu]==2.7.*"
    python -m launch.bench --against anomalib --python anomalib-env/bin/python"""
FIRST = 3  # steps, and images, whose time does not count: compiling, and whatever else is done once
LONGEST = 3600  # seconds that a process may take
TESTED = 30  # good images at most, and as many defective ones


class Case(NamedTuple):
    """A race. side: of the images, pixels; batch: images a step. fields: of our config, beside these.

    base: channels at the finest scale of anomalib's two networks of DRAEM; none, where it is left as it is.
    """

    detector: str
    side: int
    batch: int
    steps: int
    fields: dict[str, Any]
    base: tuple[int, ...] = ()
    preset: str = "paper"


# Sizes that two cores can do in a quarter of an hour, all told. At the published widths that is enough for times alone.
# anomalib's learning rate falls after 400 and 600 epochs, so here never; nor does ours.
STEADY = {"settings.decay": 1.0}
EIGHTH = {"settings.widths": (16, 32, 64, 128, 128), "settings.segmentation": (8, 16, 32, 64, 64, 64)}
CASES = {
    "draem, published widths": Case("draem", 64, 8, 6, STEADY),
    "draem, an eighth of the channels": Case("draem", 96, 8, 300, STEADY | EIGHTH, (16, 8)),
    "ganomaly": Case("ganomaly", 64, 32, 100, {}),
}


def bench_peers(
    config: ConfigDict, *, python: Path | None, steps: int | None, turns: int, cases: dict[str, Case] = CASES
) -> dict[str, Any]:
    """Figures of each detector, ours and theirs, in every turn; turn n has seed n. config: names the images.

    python: of an environment that holds anomalib. Raises ValueError, with the remedy, where there is none.
    """
    found = version_of(python)
    result: dict[str, Any] = {"anomalib": found, "dataset": config.data.name, "cases": {}}
    for name, case in cases.items():
        case = case._replace(steps=steps or case.steps)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            job = write_folder(place / "images", config, case) | case._asdict()
            job["threads"] = len(os.sched_getaffinity(0))
            rows = []
            for turn in range(turns):
                console.say(f"{name}, turn {turn + 1} of {turns}")
                ours, theirs = (
                    figures_of(run([*words], place / f"{who} {turn}", job | {"seed": turn}))
                    for who, words in (("ours", OURS), ("theirs", (python, "-I", THEIRS)))
                )
                rows.append({"ours": ours, "theirs": theirs})
            counts = {"train": job["train_count"], "good": job["labels"].count(0), "defective": job["labels"].count(1)}
        result["cases"][name] = {**case._asdict(), "threads": job["threads"], "images": counts, "turns": rows}
    return result


def version_of(python: Path | None) -> str:
    """The version of anomalib that a Python has. Raises ValueError, with the remedy, where it has none."""
    if python is None:
        raise ValueError(f"--against anomalib needs --python, the Python of an environment that holds it; {REMEDY}")
    asked = "import importlib.metadata as packages; print(packages.version('anomalib'))"
    try:
        said = subprocess.run([python, "-I", "-c", asked], capture_output=True, text=True)
    except OSError as error:
        raise ValueError(f"--python {python} is no Python ({error.strerror or error}); {REMEDY}") from error
    if said.returncode:
        raise ValueError(f"--python {python} has no anomalib; {REMEDY}")
    return said.stdout.strip()


def write_folder(place: Path, config: ConfigDict, case: Case) -> dict[str, Any]:
    """Writes the images of a config as PNG at the size of a case, in MVTec's layout, and returns where they are.

    All good images that are not tested are trained on. Raises ValueError where these make no batch, or where none is
    left to test on.
    """
    seen = config.copy_and_resolve_references()
    configuration.assign(seen, {"data.size": case.side, "data.width": case.side, "data.channels": 3})
    dataset = open_data(seen).converted
    normal, test = [*dataset.train, *dataset.calibration], dataset.test
    parts = [_evenly(test, 0), _evenly(test, 1)]
    if len(normal) < case.batch or not all(parts):
        raise ValueError(f"{config.data.name} has {len(normal)} good images to train on, {len(parts[0])} good and "
                         f"{len(parts[1])} outlined defective ones to test on; {case.batch}, 1 and 1 are needed at "
                         "least: give another --dataset")  # fmt: skip
    for index, sample in enumerate(normal):
        files.write_bytes(place / "train" / "good" / f"{index:04d}.png", images.png(sample.image))
    paths, masks, labels = [], [], []
    for label, kind in enumerate(("good", "defect")):
        for index in parts[label]:
            sample, name = test[index], f"{index:04d}"
            paths.append(place / "test" / kind / f"{name}.png")
            masks.append(place / "ground_truth" / kind / f"{name}_mask.png")
            labels.append(label)
            mask = np.zeros((case.side, case.side), np.uint8) if label == 0 else sample.mask
            files.write_bytes(paths[-1], images.png(sample.image))
            files.write_bytes(masks[-1], images.png(mask[..., None] * np.uint8(255)))
    return {
        "root": str(place), "train": str(place / "train" / "good"), "train_count": len(normal),
        "test": [str(path) for path in paths], "masks": [str(path) for path in masks], "labels": labels,
    }  # fmt: skip


def _evenly(split: Split, label: int) -> list[int]:
    """The places of at most TESTED images of this label whose truth is known, evenly spread."""
    there = [place for place, record in enumerate(split.records) if record.label == label and (not label or
             record.has_mask)]  # fmt: skip
    return [there[at] for at in np.linspace(0, len(there) - 1, min(TESTED, len(there))).astype(int)]


def run(words: Sequence[str | Path], out: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Starts a process that does a job, whose file is its last word, and returns the job with what it measured.

    Raises RuntimeError where it takes too long, and with the last of what it said where it failed.
    """
    out.mkdir(parents=True)
    job = job | {"out": str(out)}
    files.write_json(out / "job.json", job)
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run([*words, out / "job.json"], capture_output=True, text=True, env=offline, timeout=LONGEST)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{job['detector']}: {' '.join(map(str, words))} had not ended after {LONGEST} s; give "
                           "fewer --steps") from error  # fmt: skip
    if done.returncode:
        said = "\n".join((done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-5:])
        raise RuntimeError(f"{job['detector']}: {' '.join(map(str, words))} ended with {done.returncode} and said: "
                           f"{said}")  # fmt: skip
    return job | json.loads((out / "measured.json").read_text(encoding="utf-8"))


def figures_of(measured: dict[str, Any]) -> dict[str, Any]:
    """What is told of one process: its times, and the figures of its scores and maps.

    measured: the job with steps_s and images_s, the seconds of every step and of every image; train_s, from the files
    to trained weights; memory_mb, weights, image_flops and versions. Scores are scores.npy [N], maps, where there are
    any, maps.npy [N, side, side], in the order of the test images.
    """
    out, count, side = Path(measured["out"]), len(measured["labels"]), measured["side"]
    scores = _array(out / "scores.npy", (count,))
    auroc = ranking.area_under_roc(ranking.image_counts(scores, measured["labels"]))
    ap = None
    if (out / "maps.npy").exists():
        maps = list(_array(out / "maps.npy", (count, side, side)))
        masks = [images.read_mask(Path(path)) for path in measured["masks"]]
        ap = ranking.average_precision(ranking.pixel_counts(maps, masks))
    kept = {name: measured[name] for name in ("train_s", "memory_mb", "weights", "image_flops", "versions")}
    return kept | {
        "first_s": measured["steps_s"][0], "step_s": _median(measured["steps_s"]),
        "image_s": _median(measured["images_s"]), "image_auroc": auroc, "pixel_ap": ap,
    }  # fmt: skip


def _array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """float32 of a file; ValueError for another shape."""
    array = np.load(path, allow_pickle=False).astype(np.float32)
    if array.shape != shape:
        raise ValueError(f"{path.name} is {array.shape}, where {shape} was expected")
    return array


def _median(seconds: Sequence[float]) -> float:
    return statistics.median(seconds[min(FIRST, len(seconds) - 1) :])


TOLD = {  # figure: what it is, how it is written, whether a ratio says something
    "step_s": ("a step", lambda s: f"{1e3 * s:.0f} ms", True),
    "first_s": ("the first step", lambda s: f"{s:.1f} s", True),
    "train_s": ("from files to trained weights", lambda s: f"{s:.0f} s", True),
    "image_s": ("an image, array to map or score", lambda s: f"{1e3 * s:.1f} ms", True),
    "image_flops": ("operations of it", lambda n: f"{n / 1e9:.2f} GFLOP", True),
    "weights": ("weights", lambda n: f"{n / 1e6:.2f} million", True),
    "memory_mb": ("peak memory of the process", lambda mb: f"{mb:.0f} MB", True),
    "image_auroc": ("image AUROC", lambda x: f"{x:.3f}", False),
    "pixel_ap": ("pixel AP", lambda x: f"{x:.3f}", False),
}


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
    """The figures as Markdown."""
    tables, versions = "", {}
    for name, case in result["cases"].items():
        rows = [_row(case["turns"], figure) for figure in TOLD]
        there, turns = case["images"], len(case["turns"])
        versions = case["turns"][0]["theirs"]["versions"]
        tables += f"""
{name}: {case["steps"]} steps of {case["batch"]} images of {case["side"]} x {case["side"]}, RGB; {there["train"]} good
images to learn from, {there["good"]} good and {there["defective"]} defective ones to test on, {case["threads"]}
threads, {turns} turn{"s" if turns > 1 else ""}.

{markdown.table(["", "ours", "anomalib", "anomalib / ours"], rows)}
"""
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"""## Beside anomalib

The same PNG files ({result["dataset"]}), size, batch and number of steps, each library in a process of its own; above 1
ours is faster or smaller. Steps and images are medians, the first {FIRST} of each left out. anomalib reads its images
anew for every step: that is not in its step, only in the time from files to trained weights, where our compiling is,
too. Times are of the machine, AUROC and AP of so short a training that neither is a verdict on a method.

{SET_UP}

    {command}
{tables}
{DIFFERENCES}

anomalib: {told}. Ours: {machine}
"""


def _row(turns: Sequence[dict[str, Any]], figure: str) -> list[str]:
    """A figure of both sides, the medians over turns, and the ratio with its range where there are several."""
    what, tell, rated = TOLD[figure]
    sides = [[turn[side][figure] for turn in turns] for side in ("ours", "theirs")]
    cells = ["none" if None in side else tell(statistics.median(side)) for side in sides]
    if not rated:
        return [what, *cells, ""]
    ratios = sorted(theirs / ours for ours, theirs in zip(*sides, strict=True))
    spread = f" ({ratios[0]:.2f} to {ratios[-1]:.2f})" if len(ratios) > 1 else ""
    return [what, *cells, f"**{statistics.median(ratios):.2f}**{spread}"]


SET_UP = """anomalib is no dependency; an environment of its own (6 GB, for the index's torch brings CUDA) holds it:

    uv venv anomalib-env --python 3.11
    uv pip install --python anomalib-env/bin/python "anomalib[cpu]==2.7.*\""""

DIFFERENCES = """What is not the same:

- draem: anomalib widens its maps bilinearly and convolves them then, where ours convolves first; it ends in 3 x 3
  convolutions and two classes, ours in 1 x 1 and one. Its flaws have Perlin outlines, as ours, and are filled with
  another training image after three random changes of colour and place (by default with photographs of another set,
  which would have to be downloaded), ours with another training image or noise; it makes them one by one, within the
  step. It sees images as they are, ours moved at random over their mirrored borders. Its image score is the greatest
  pixel, ours the greatest mean of 21 x 21. Learning rate 1e-4, the number of channels and the weights of the losses are
  the same.
- ganomaly: anomalib matches what the discriminator says, ours its features; its distance of latents is a smooth L1,
  ours squared; it shows images normalised as ImageNet's to a network that draws in [-1, 1], ours images in [-1, 1]; its
  first convolution pads by 4 pixels, so that its maps are larger than half. It has no map of an image, ours the
  residual. Width 64, latent 100, learning rate 2e-4 and weights of the losses 1, 50, 1 are the same.
- Ours are compiled; anomalib's are eager, trained by Lightning's Trainer without loggers, checkpoints or validation."""
