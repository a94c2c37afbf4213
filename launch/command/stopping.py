"""How a command is stopped: by Ctrl-C, by SIGTERM, with which a cluster preempts, by SIGHUP of a closed terminal.

Each raises KeyboardInterrupt where the command is at that moment; where it trains, `deferred`, after a checkpoint. A
command that has not begun to stop GRACE seconds later (it compiles, say) is ended all the same: nothing is lost but
time, for files appear whole or not at all.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN = 0.05  # seconds
SWALLOWING = ("_xla_gc_callback",)  # JAX's, within a collection of garbage: what is raised there Python only prints
GRACE = 8.0  # seconds; a cluster that preempts grants 30 or more

_asked: list[int] = []  # the signals that came
_answered = [threading.Event()]  # that the command, the last that was started, does what it was asked to
_deferring: list[None] = []


def signalled() -> int:
    """The signal that stopped this command, which is forgotten with it; without one it was a KeyboardInterrupt of
    Python's own."""
    number = _asked[0] if _asked else signal.SIGINT
    _asked.clear()
    return number


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Signals stop the command within it, but those that are ignored (as SIGHUP is under nohup)."""
    _asked.clear()
    answered = _answered[0] = threading.Event()  # Its own: the thread of an earlier command may not have ended yet.
    before = {number: signal.getsignal(number) for number in SIGNALS}
    mine = [number for number in SIGNALS if before[number] != signal.SIG_IGN]
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in mine:
        signal.signal(number, _on)
    # Python calls `_on` between two steps of its own; into this pipe a byte comes at once, even while XLA compiles.
    waker = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, answered), daemon=True).start()
    try:
        yield
        _asked.clear()  # What was asked for was done.
    finally:
        answered.set()
        signal.set_wakeup_fd(waker)
        for number in mine:
            signal.signal(number, before[number] or signal.SIG_DFL)
        os.close(writer)  # Which ends the thread.


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Within it a signal raises nothing, but the function that is given says so; at its end it raises."""

    def asked() -> bool:
        if _asked:
            _answered[0].set()
        return bool(_asked)

    _deferring.append(None)
    try:
        yield asked
    finally:
        _deferring.pop()
    if _asked:
        raise KeyboardInterrupt


def note(number: int) -> None:
    """Keeps the signal that a handler of another kind, such as asyncio's, was called for."""
    _asked.append(number)


def _on(number: int, frame: FrameType | None) -> None:
    if frame is not None and frame.f_code.co_name in SWALLOWING:
        threading.Timer(AGAIN, os.kill, (os.getpid(), number)).start()
        return
    note(number)
    if len(_asked) == 1 and not _deferring:
        raise KeyboardInterrupt
    if len(_asked) > 1 and number == signal.SIGINT:  # Who presses Ctrl-C again does not want to wait.
        _end(number)


def _watch(reader: int, answered: threading.Event) -> None:
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        while byte := pipe.read(1):  # Nothing once it is closed.
            if byte[0] in SIGNALS and not answered.wait(GRACE):
                _end(byte[0])


def _end(number: int) -> NoReturn:
    os.write(2, f"stopped by {signal.Signals(number).name}; the same command goes on\n".encode())
    os._exit(128 + number)
