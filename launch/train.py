"""Trains a detector, evaluates it and writes its report page.

    python -m launch.train                                          # ReNet-D on synthetic textures
    python -m launch.train --dataset mvtec --data FOLDER            # a folder in MVTec layout
    python -m launch.train --dataset nanotwice --data FOLDER --preset wide train.steps=600 settings.alpha=1.0

Started again with the same --workdir, it goes on where it was stopped.
"""

import sys
import time
from pathlib import Path

from ml_collections import ConfigDict

from launch import config as configs
from launch import evaluation, experiment, feeds, report, start
from launch.logs import console


def main(argv: list[str] | None = None) -> Path:
    """Returns the report page."""
    parser = configs.parser(__doc__)
    parser.add_argument("--workdir", help="the folder of the run (default: runs/<detector>-<preset>-<dataset>-<seed>)")
    arguments = parser.parse_intermixed_args(argv)
    config = configs.from_arguments(arguments)
    workdir = Path(arguments.workdir) if arguments.workdir else experiment.default_workdir(config)
    begun = time.monotonic()
    start.devices()
    page = train(config, workdir)
    console.print(f"{time.monotonic() - begun:.0f} s in all. Report: {page}")
    return page


def train(config: ConfigDict, workdir: Path) -> Path:
    """Trains, evaluates and reports one run in its folder. Returns the report page."""
    with experiment.open_workdir(config, workdir):
        data = experiment.open_data(config)
        source, held_out = feeds.make_feed(config, data), feeds.held_out(config, data)
        run = experiment.train_run(config, workdir, data, source, held_out)
        if not start.is_main():
            return workdir
        result = evaluation.evaluate(run, data, workdir)
        page = report.write_report(workdir)
    summary(result)
    return page


def summary(result: dict) -> None:
    """The headline figures in one line."""
    figures = result["figures"]
    named = [
        ("image AUROC", "image", "auroc"),
        ("pixel AUROC", "pixel", "auroc"),
        ("PRO", "pixel", "pro"),
        ("pixel F1", "pixel", "f1"),
    ]
    if "surfaces" in figures:
        named = [("seen", "surfaces", "seen"), ("unseen", "surfaces", "unseen"), ("harmonic", "surfaces", "harmonic"),
                 ("AUROC of the alarm", "image", "auroc")]  # fmt: skip
    values = [(name, figures.get(level, {}).get(key)) for name, level, key in named]
    console.print("  ".join(f"{name} {value:.3f}" if value is not None else f"{name} -" for name, value in values))
    for warning in result["warnings"]:
        console.print(f"[yellow]{warning}[/yellow]")


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
