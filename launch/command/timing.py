"""Times of several ways to do one thing, taking turns so that a busy moment meets them all."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any


def in_turn(calls: dict[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    """The median seconds of each call. They block until they are done, and were called once before."""
    rows = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            rows[name].append(time.perf_counter() - begun)
    return {name: statistics.median(row) for name, row in rows.items()}


def as_table(lines: Sequence[Sequence[str]]) -> str:
    """Rows of cells, the head and its rule first, as Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
