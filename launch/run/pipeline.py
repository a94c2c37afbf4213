"""From a config to figures: data, feeds, training and evaluation, in the folder of a run.

config -> open_data -> make_feed -> train_run -> evaluate (predictor -> predictions -> thresholds -> figures -> write)
       -> write_report
"""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from launch.command import start
from launch.command.console import console, phase, say, warn
from launch.run import feeds
from launch.run.data import Data, colours_of, open_data, settle, sizes_of
from launch.run.evaluation import evaluate
from launch.run.folder import open_workdir
from launch.run.training import train_run

SIZES = 3  # of images that are named


def train(config: ConfigDict, workdir: Path) -> dict[str, Any] | None:
    """Trains and evaluates one run in its folder. Returns the result, None in processes that write no files."""
    followed = config.data.channels == "auto"
    settle(config)
    with open_workdir(config, workdir):
        phase(f"reading the images of {config.data.name}", said=False)
        data = open_data(config)
        if start.is_main():
            for line in announcement(config, data, workdir, followed=followed):
                say(line)
            if data.warning:
                warn(data.warning)
        run = train_run(config, workdir, data, feeds.make_feed(config, data), feeds.held_out(config, data))
        if not start.is_main():
            return None
        return evaluate(run, data, workdir)


def announcement(config: ConfigDict, data: Data, workdir: Path, *, followed: bool) -> list[str]:
    """What a run will do, in three lines. followed: whether its channels are those of the images."""
    knobs, dataset = config.train, data.converted
    patch, whole = ("patch", "whole image") if knobs.batch == 1 else ("patches", "whole images")
    seen = f"{patch} of {knobs.patch} x {knobs.patch} pixels" if knobs.patch else whole
    steps = f"{knobs.steps} steps of {knobs.batch} {seen}" if knobs.steps else "nothing is trained"
    sizes = Counter(size for split in (dataset.train, dataset.test) for size in sizes_of(split)).most_common()
    shown = ", ".join(f"{height} x {width}" for (height, width), _ in sizes[:SIZES])
    more = f" and {len(sizes) - SIZES} other sizes" if len(sizes) > SIZES else ""
    defective = Counter(record.kind for record in dataset.test.records if record.label)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(defective.items()))
    good = len(dataset.test) - defective.total()
    learned = f", {len(dataset.defective)} defective" if knobs.supervision in ("masks", "kinds") else ""
    device = jax.devices()[0].device_kind + (f" x {jax.device_count()}" if jax.device_count() > 1 else "")
    device = f"{os.cpu_count()} CPU cores" if device == "cpu" else device
    long = "; how long they take is told once some are timed" if knobs.steps else ""
    return [
        f"{config.detector}, preset {config.preset}: {steps}, on {device}, into {workdir}{long}",
        f"{dataset.name}: {len(dataset.train)} good images to learn from{learned}, {len(dataset.calibration)} held out "
        f"for thresholds; the test: {good} good" + (f", {kinds}" if kinds else ""),
        f"seen at {shown} pixels{more}, in {'colour' if config.data.channels == 3 else 'grey'} "
        f"(data.channels={config.data.channels}{': ' + colours_of(config).told if followed else ''})",
    ]


def print_summary(result: dict) -> None:
    """The headline figures in one line, and the warnings."""
    figures = result["figures"]
    named = [("pixel F1", "pixel", "f1"), ("AP", "pixel", "ap"), ("AUROC", "pixel", "auroc"), ("PRO", "pixel", "pro"),
             ("image AUROC", "image", "auroc")]  # fmt: skip
    if "surfaces" in figures:
        named = [("seen", "surfaces", "seen"), ("unseen", "surfaces", "unseen"), ("harmonic", "surfaces", "harmonic"),
                 ("AUROC of the alarm", "image", "auroc")]  # fmt: skip
    values = [(name, figures.get(level, {}).get(key)) for name, level, key in named]
    console.print("  ".join(f"{name} {value:.3f}" if value is not None else f"{name} -" for name, value in values))
    for warning in result["warnings"]:
        warn(warning)
