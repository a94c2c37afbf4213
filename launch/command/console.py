"""What commands say: results on standard output; progress, warnings and errors on standard error.

On a terminal progress is a bar. Elsewhere each phase is a line, and so is what goes on whenever nothing was said for
EVERY_S seconds. `--quiet` leaves warnings and errors.
"""

import contextlib
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from data_pipeline.names import printable

EVERY_S = 30
TIMED_OVER_S = 600  # the latest, by which the time that is left is told


class Plain(Console):
    """Shows a text as it is, on one line: no markup and no emoji are read in what users name, nothing of it steers the
    terminal. Colours come with `style`.
    """

    def render_str(self, text: str, **how) -> Text:
        return super().render_str(printable(text), **how | {"markup": False, "emoji": False})


console = Plain(highlight=False, soft_wrap=True)
messages = Plain(stderr=True, highlight=False, soft_wrap=True)

_shown: list["Bar"] = []
_said = {"quiet": False, "at": time.monotonic(), "phase": "", "since": time.monotonic()}


class Bar(Progress):
    """A progress bar whose tasks are phases, where no other bar is around it."""

    nested = 0

    def add_task(self, description: str, *rest, **how):
        """As rich does it; where nobody watches a terminal, a line says what begins."""
        if not self.nested and how.get("total"):
            phase(f"{description.strip()}, {how['total']}", said=not watched())
        return super().add_task(description, *rest, **how)

    def left(self, task: TaskID) -> str:
        """ ", about 3 min left"; empty before some of a task was timed."""
        seconds = next(shown for shown in self.tasks if shown.id == task).time_remaining
        return f", about {duration(seconds)} left" if seconds else ""


def hush() -> None:
    """From now on progress is not told."""
    _said["quiet"] = True


def watched() -> bool:
    """Whether somebody watches a terminal."""
    return messages.is_terminal


def say(text: str) -> None:
    """A line of progress, unless the user wants none."""
    _said["at"] = time.monotonic()
    if not _said["quiet"]:
        messages.print(text)


def phase(text: str, *, said: bool = True) -> None:
    """What begins now: a line, which is said again where it lasts."""
    _said.update(phase=text, since=time.monotonic(), at=time.monotonic())
    if said:
        say(text)


def warn(text: str) -> None:
    """A warning, however quiet it is to be."""
    messages.print(text, style="yellow")


@contextlib.contextmanager
def progress_bar() -> Iterator[Bar]:
    """A bar with a count, the time spent and the time left; lines where nobody watches a terminal.

    Within another one its lines are added to that, and go when it ends.
    """
    if _shown:
        before = set(_shown[0].task_ids)
        _shown[0].nested += 1
        try:
            yield _shown[0]
        finally:
            _shown[0].nested -= 1
            for task in set(_shown[0].task_ids) - before:
                _shown[0].remove_task(task)
        return
    bar = Bar(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False), console=messages, disable=_said["quiet"] or not watched(),
        speed_estimate_period=TIMED_OVER_S,
    )  # fmt: skip
    _shown.append(bar)
    try:
        with bar:
            yield bar
    finally:
        _shown.clear()


@contextlib.contextmanager
def heartbeat() -> Iterator[None]:
    """While this lasts, what goes on is said whenever nothing was for EVERY_S seconds."""
    ended = threading.Event()
    beat = threading.Thread(target=_beat, args=(ended,), daemon=True)
    beat.start()
    try:
        yield
    finally:
        ended.set()
        beat.join()


def _beat(ended: threading.Event) -> None:
    while not ended.wait(max(0.01, _said["at"] + EVERY_S - time.monotonic())):
        if time.monotonic() - _said["at"] < EVERY_S:
            continue
        if _said["phase"] and not (_shown and watched()):
            say(going_on())
        _said["at"] = time.monotonic()


def going_on() -> str:
    """What goes on, in a line: how far each task is and what is left of the innermost, or how long the phase lasts."""
    tasks = [task for task in (_shown[0].tasks if _shown else ()) if task.total]
    told = [
        " ".join(
            filter(None, (task.description.strip(), f"{task.completed:.0f}/{task.total:.0f}", task.fields["note"]))
        )
        for task in tasks
    ]
    left = _shown[0].left(tasks[-1].id) if tasks else ""
    return f"{'; '.join(told) or _said['phase']}, for {duration(time.monotonic() - _said['since'])}{left}"


def duration(seconds: float) -> str:
    """ "40 s", "3 min", "2 h 10 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
