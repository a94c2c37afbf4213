"""What a run says while it trains: a progress bar with the time left, history.jsonl, TensorBoard."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tensorboardX import SummaryWriter

console = Console(highlight=False, soft_wrap=True)


_shown: list[Progress] = []


@contextlib.contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar with a count, the time spent and the time left; silent where nobody watches a terminal.

    Within another one its lines are added to that, and go when it ends.
    """
    if _shown:
        before = set(_shown[0].task_ids)
        yield _shown[0]
        for task in set(_shown[0].task_ids) - before:
            _shown[0].remove_task(task)
        return
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"), console=console, disable=not console.is_terminal,
    )  # fmt: skip
    _shown.append(bar)
    try:
        with bar:
            yield bar
    finally:
        _shown.clear()


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
            kept = [line for line in read_history(self.path) if line["step"] < step]
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

    def pictures(self, step: int, strips: np.ndarray) -> None:
        """Shows image strips, uint8 [H, W, C]."""
        if self.tensorboard:
            self.tensorboard.add_image("input | reconstruction | map", strips, step, dataformats="HWC")

    def close(self) -> None:
        if self.tensorboard:
            self.tensorboard.close()


def read_history(path: Path) -> list[dict[str, Any]]:
    """The logged lines of a run; a half-written last line is left out."""
    lines = []
    for text in path.read_text().splitlines() if path.is_file() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines


def duration(seconds: float) -> str:
    """ "40 s", "3 min", "2 h 10 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
