"""What commands say on a terminal: the console, progress bars, durations."""

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

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


def duration(seconds: float) -> str:
    """ "40 s", "3 min", "2 h 10 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
