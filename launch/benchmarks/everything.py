"""All that a GPU is asked, on one page and within a given time: `launch.bench --everything`.

Each part is a command of launch.bench in a process of its own, so that its memory is its own, one that crashes or hangs
takes no other with it, and its section is on the page as soon as it ends. The most telling come first.
"""

import datetime
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from launch.benchmarks import page
from launch.command import console, files, markdown
from launch.command.environment import commit

BENCH = (sys.executable, "-m", "launch.bench")
NOT_INSTALLED = "PyTorch is not installed here: ours alone"


class Part(NamedTuple):
    """A section of the page. words: of launch.bench. seconds: with less time left it is not begun; a guess."""

    title: str
    words: tuple[str, ...]
    seconds: float = 60


PARTS = (
    Part("Training and detection", ("--preset", "paper", "--against", "torch", "--turns", "5", "--steps", "50")),
    Part("A curve of many runs", ("--preset", "paper", "--sweep", "--runs", "50", "--steps", "1000"), 240),
    Part("Metrics", ("--metrics", "--turns", "3"), 30),
    Part("The Frechet Markov distance", ("--detector", "maa", "--preset", "paper", "--frechet", "--turns", "3")),
    Part("A folder of images", ("--folder", "--turns", "3")),
    Part("Every detector, preset paper", ("--presets", "paper", "--turns", "5")),
)


def bench_everything(to_page: Path, *, minutes: float, command: str, parts: Sequence[Part] = PARTS) -> dict[str, Any]:
    """Writes the page anew, part by part, and returns how each ended."""
    end = time.monotonic() + 60 * minutes
    states = dict.fromkeys((part.title for part in parts), "not begun")
    machine = ""
    files.write_bytes(to_page, _head(states, machine, command).encode())
    for part in parts:
        begun = time.monotonic()
        left = end - begun
        if left < part.seconds:
            states[part.title] = f"skipped: {max(left, 0):.0f} s were left, and it is reckoned to take {part.seconds:g}"
        else:
            console.say(f"{part.title}, {left:.0f} s left")
            words, note = _words(part, left)
            said, error = _run([*BENCH, *words, "--page", str(to_page)], left)
            states[part.title] = error or f"{time.monotonic() - begun:.0f} s{note}"
            machine = machine or _machine(said)
        _renew_head(to_page, _head(states, machine, command))
    return {"page": str(to_page), "parts": states}


def _words(part: Part, left: float) -> tuple[list[str], str]:
    """The words of a part, and what to say of those that had to go."""
    words, note = list(part.words), ""
    if "torch" in words and importlib.util.find_spec("torch") is None:
        place = words.index("--against")
        del words[place : place + 2]
        note = f". {NOT_INSTALLED}"
    if "--presets" in words:  # It stops by itself, so that the detector it is at when time is over is not lost.
        words += ["--minutes", f"{left / 60:.2f}"]
    return words, note


def _run(words: Sequence[str], seconds: float) -> tuple[str, str]:
    """What a command printed, and why it failed, if it did. It and what it started end with the time, or with us."""
    environment = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # PyTorch and fresh processes want some, too.
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    try:
        said, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return "", f"stopped: it had not ended after {seconds:.0f} s"
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode == 0:
        return said, ""
    last = (errors.strip() or said.strip() or "it said nothing").splitlines()[-1]
    return said, f"failed with status {process.returncode}: {last[:300]}"


def _machine(said: str) -> str:
    """The hardware and versions that a part printed with its figures, if it came so far."""
    try:
        return page.machine(json.loads(said))
    except (ValueError, KeyError, TypeError):
        return ""


def _head(states: dict[str, str], machine: str, command: str) -> str:
    """What stands above the sections: date, hardware, and how each part ended."""
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    rows = [[title, state.replace("|", "/")] for title, state in states.items()]
    return f"""# Speed on one device

{date}, commit {commit() or "unknown"}. {machine}

    {command}

{markdown.table(["part", "took"], rows)}
"""


def _renew_head(path: Path, head: str) -> None:
    """Puts a new head above the sections that are there."""
    _, begins, sections = path.read_text(encoding="utf-8").partition("\n## ")
    files.write_bytes(path, (head + begins + sections).encode())
