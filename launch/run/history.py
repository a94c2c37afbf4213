"""The record of a training: history.jsonl, TensorBoard, the progress bar's line."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from launch.command.console import Bar, say, watched

UNTIMED = 3  # The first step compiles, and the next ones wait for it and for memory.
FEWEST, TIMED_S = 3, 3  # steps and seconds that are timed before it is said how long training takes
TOLD_S = 10


class TrainingLog:
    """The record of a training. Lines after the step a resumed run starts from are written again."""

    def __init__(self, workdir: Path, *, steps: int, bar: Bar | None):
        self.path = workdir / "history.jsonl"
        self.steps = steps
        self.bar = bar
        self.task = bar.add_task("training", total=steps, note="compiling") if bar else None
        self.tensorboard: Any = None  # a writer, once something was logged and where tensorboardX is installed
        self.begun = False
        self.folder = workdir / "tensorboard"
        self.started = time.monotonic()
        self.calls = 0  # of `step`
        self.timed = 0, 0.0  # the step from which on they are timed, and when that was
        self.foretold = False  # whether it was said how long training takes
        self.said = 0.0  # seconds, when a line was last said

    def step(self, step: int) -> None:
        """Counts steps, the first ones untimed; once some were timed, it is said how long training takes."""
        if self.bar is None:
            return
        self.calls += 1
        if self.calls < UNTIMED:
            return
        if self.calls == UNTIMED:
            self.timed = step, time.monotonic()
            self.bar.update(self.task, note="")
        self.bar.update(self.task, completed=step)
        taken, seconds = step - self.timed[0], time.monotonic() - self.timed[1]
        if self.calls >= UNTIMED + FEWEST and seconds >= TIMED_S and not self.foretold:
            self.foretold = True
            self.say(f"{taken} steps in {seconds:.0f} s")

    def __call__(self, step: int, metrics: dict[str, float]) -> None:
        if not self.begun:
            self.begun = True
            kept = [line for line in read_history(self.path)[0] if line["step"] < step]
            self.path.write_text("".join(json.dumps(line) + "\n" for line in kept))
            self.tensorboard = tensorboard(self.folder, purge_step=step if kept else None)
        line = {"step": step, **metrics, "seconds": round(time.monotonic() - self.started, 3)}
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in metrics.items() if self.tensorboard else ():
            self.tensorboard.add_scalar(name, value, step)
        if self.bar is None:
            return
        self.bar.update(self.task, completed=step, note=f"loss {metrics['loss']:.4f}")
        if step == self.steps or not self.said or line["seconds"] - self.said >= TOLD_S:
            self.said = line["seconds"]
            self.say(f"step {step}/{self.steps}  loss {metrics['loss']:.4f}  {self.said:.0f} s")

    def say(self, text: str) -> None:
        """A line, with the time that is left; none in a sweep, which says how its runs end, or beside a bar."""
        if not watched() and len(self.bar.tasks) == 1:
            say(text + self.bar.left(self.task))

    def images(self, step: int, strips: np.ndarray) -> None:
        """Shows image strips, uint8 [H, W, C]."""
        if self.tensorboard:
            self.tensorboard.add_image("input | reconstruction | map", strips, step, dataformats="HWC")

    def close(self) -> None:
        if self.tensorboard:
            self.tensorboard.close()


def tensorboard(folder: Path, *, purge_step: int | None) -> Any:
    """A writer for TensorBoard; None without tensorboardX, of the extra `tensorboard`."""
    try:
        from tensorboardX import SummaryWriter  # It imports PyTorch, where that is installed.
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=purge_step)


def read_history(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The logged lines of a run, none without a file, and how many cannot be read (a killed run leaves one).

    A line holds numbers, None where one is undefined; `step` and `loss` are in all of them.
    """
    lines, unreadable = [], 0
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            line = json.loads(text)
            if not all(map(_is_number, [line["step"], line["loss"], *(value or 0 for value in line.values())])):
                raise ValueError("a value that is no number")
            lines.append(line)
        except (ValueError, KeyError, TypeError, AttributeError):
            unreadable += bool(text.strip())
    return lines, unreadable


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
