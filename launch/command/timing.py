"""Times of several ways to do one thing, taking turns so that a busy moment meets them all."""

import statistics
import time
from collections.abc import Callable
from typing import Any


def in_turn(calls: dict[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    """The median seconds of each call. They block until they are done, and were called once before."""
    return {name: statistics.median(row) for name, row in seconds_of_turns(calls, turns).items()}


def seconds_of_turns(calls: dict[str, Callable[[], Any]], turns: int) -> dict[str, list[float]]:
    """The seconds of each call in every turn. They block until they are done, and were called once before."""
    rows = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            rows[name].append(time.perf_counter() - begun)
    return rows
