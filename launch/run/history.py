"""The record of a training: history.jsonl, TensorBoard, the progress bar's line."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress
from tensorboardX import SummaryWriter

from launch.command.console import console


class TrainingLog:
    """The record of a training. Lines after the step a resumed run starts from are written again."""

    def __init__(self, workdir: Path, *, steps: int, bar: Progress | None):
        self.path = workdir / "history.jsonl"
        self.steps = steps
        self.bar = bar
        self.task = bar.add_task("training", total=steps, note="compiling") if bar else None
        self.tensorboard: SummaryWriter | None = None
        self.folder = workdir / "tensorboard"
        self.started = time.monotonic()

    def __call__(self, step: int, metrics: dict[str, float]) -> None:
        if self.tensorboard is None:
            kept = [line for line in read_history(self.path)[0] if line["step"] < step]
            self.path.write_text("".join(json.dumps(line) + "\n" for line in kept))
            self.tensorboard = SummaryWriter(str(self.folder), purge_step=step if kept else None)
        line = {"step": step, **metrics, "seconds": round(time.monotonic() - self.started, 3)}
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in metrics.items():
            self.tensorboard.add_scalar(name, value, step)
        if self.bar is None:
            return
        self.bar.update(self.task, completed=step, note=f"loss {metrics['loss']:.4f}")
        if not console.is_terminal and len(self.bar.tasks) == 1:  # A sweep says how its runs end, not each step.
            console.print(f"step {step}/{self.steps}  loss {metrics['loss']:.4f}  {line['seconds']:.0f} s")

    def images(self, step: int, strips: np.ndarray) -> None:
        """Shows image strips, uint8 [H, W, C]."""
        if self.tensorboard:
            self.tensorboard.add_image("input | reconstruction | map", strips, step, dataformats="HWC")

    def close(self) -> None:
        if self.tensorboard:
            self.tensorboard.close()


def read_history(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The logged lines of a run, none without a file, and how many cannot be read (a killed run leaves one)."""
    lines, unreadable = [], 0
    for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            line = json.loads(text)
            float(line["step"])
            lines.append(line)
        except (ValueError, KeyError, TypeError):
            unreadable += bool(text.strip())
    return lines, unreadable
