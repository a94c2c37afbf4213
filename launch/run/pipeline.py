"""From a config to figures: data, feeds, training and evaluation, in the folder of a run.

config -> open_data -> make_feed -> train_run -> evaluate (predictor -> predictions -> thresholds -> figures -> write)
       -> write_report
"""

from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from launch.command import start
from launch.command.console import console
from launch.run import feeds
from launch.run.data import open_data
from launch.run.evaluation import evaluate
from launch.run.folder import open_workdir
from launch.run.training import train_run


def train(config: ConfigDict, workdir: Path) -> dict[str, Any] | None:
    """Trains and evaluates one run in its folder. Returns the result, None in processes that write no files."""
    with open_workdir(config, workdir):
        data = open_data(config)
        if start.is_main() and data.warning:
            console.print(f"[yellow]{data.warning}[/yellow]")
        run = train_run(config, workdir, data, feeds.make_feed(config, data), feeds.held_out(config, data))
        if not start.is_main():
            return None
        return evaluate(run, data, workdir)


def print_summary(result: dict) -> None:
    """The headline figures in one line."""
    figures = result["figures"]
    named = [("pixel F1", "pixel", "f1"), ("AP", "pixel", "ap"), ("AUROC", "pixel", "auroc"), ("PRO", "pixel", "pro"),
             ("image AUROC", "image", "auroc")]  # fmt: skip
    if "surfaces" in figures:
        named = [("seen", "surfaces", "seen"), ("unseen", "surfaces", "unseen"), ("harmonic", "surfaces", "harmonic"),
                 ("AUROC of the alarm", "image", "auroc")]  # fmt: skip
    values = [(name, figures.get(level, {}).get(key)) for name, level, key in named]
    console.print("  ".join(f"{name} {value:.3f}" if value is not None else f"{name} -" for name, value in values))
    for warning in result["warnings"]:
        console.print(f"[yellow]{warning}[/yellow]")
