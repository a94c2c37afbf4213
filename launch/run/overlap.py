"""Images one after another without waiting: some are decoded and some written while the device sees another."""

import collections
import concurrent.futures
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax

from launch.run.prediction import at_once

THREADS = 2  # that decode and write while the device works
AHEAD = 4  # images that are decoded, and that wait to be written, at most


def batches(items: Iterable[Any], shape_of: Callable[[Any], tuple[int, ...] | None]) -> Iterator[list[Any]]:
    """Items in their order, of which those that follow each other and have one shape come together.

    As many as are scored in one call. shape_of: the shape [H, W, C] of an item; one without comes alone.
    """
    for shape, alike in itertools.groupby(items, shape_of):
        most = at_once(*shape[:2]) if shape else 1
        while together := list(itertools.islice(alike, most)):
            yield together


def in_threads(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """work(item) of each item, in their order, done by threads up to AHEAD items early. Errors come at their item."""

    def promised() -> Iterator[concurrent.futures.Future]:
        try:
            for item in items:
                yield pool.submit(work, item)
        except Exception as error:  # What came before it is to be had first.
            failed: concurrent.futures.Future = concurrent.futures.Future()
            failed.set_exception(error)
            yield failed

    waiting: collections.deque[concurrent.futures.Future] = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        try:
            for promise in promised():
                waiting.append(promise)
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for promise in waiting:
                promise.cancel()


def together_or_alone(call: Callable[[Sequence[Any]], list[Any]], items: Sequence[Any]) -> list[Any]:
    """call(items), or where that fails what comes of each item alone, which may be its error."""
    try:
        return call(items)
    except (ValueError, MemoryError, jax.errors.JaxRuntimeError) as error:
        return [result for item in items for result in together_or_alone(call, [item])] if len(items) > 1 else [error]
