"""Images as they arrive in a folder: each is looked at as soon as it is whole, and is a line of JSON.

The folder is looked through again and again, which works on network drives as well. A file counts as whole when its
size and time have stood still for STILL seconds; if it then can't be read, it may still be written by somebody who
pauses, and is an error only after PATIENCE seconds of stillness.
"""

import datetime
import hashlib
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from launch.command import files
from launch.run.detection import LOG, append_line, check_pixel_size, detections, listed, mark, stamp
from launch.run.inference import open_run

POLL = 0.1  # seconds from one look at the folder to the next
SHARE = 0.25  # of the time that looking may take: where it holds very many files, it is looked at less often
STILL = 0.2  # seconds
PATIENCE = 5.0  # seconds


class Arrival(NamedTuple):
    """A file that was not looked at yet: its size and time, since when they are so, and when it is to be tried."""

    file: list[int]
    since: float
    due: float


def watch(
    run: Path, folder: Path, out: Path, *, emit: Callable[[str], None], stopped: Callable[[], bool],
    pixel_size: float | None = None, **chosen: float | None,
) -> Counter:  # fmt: skip
    """Looks at the images of a folder as they arrive, until `stopped` says so and those in hand are finished.

    emit: takes the line of each image, which is also added to detections.jsonl of `out`; masks/ and overlays/ are as of
    `detect`. An image that cannot be looked at has its error in its line. A name is looked at once, unless it gave an
    error and the file has changed since. Called again with the same run and thresholds, it goes on with what is
    missing. Returns how many "images" there were, how many "defective" and how many "errors". Memory grows by the
    names, some 0.2 kB an image. Raises what `detect` does, but waits where a folder holds no images.
    """
    check_pixel_size(pixel_size)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; give the folder that images will arrive in")
    opened = open_run(run, **chosen)
    told, waiting, failed, told_of_colours = Counter(images=0, defective=0, errors=0), {}, {}, set()
    settings = digest(stamp(run, folder, opened, pixel_size))
    with files.locked(out), open_log(out / LOG) as log:
        known = finished(out / LOG, folder, settings)
        while not stopped():
            begun = time.monotonic()
            due = look(folder, out, known, waiting, failed)
            looking = time.monotonic() - begun
            # Those in hand are finished; no other is taken once it is to stop.
            taken = itertools.takewhile(lambda path: not stopped(), (folder / name for name in due))
            for name, row in detections(opened, folder, taken, out, pixel_size, told_of_colours):
                arrival = waiting.pop(name)
                if "error" in row:
                    if time.monotonic() - arrival.since < PATIENCE:
                        waiting[name] = arrival._replace(due=arrival.since + PATIENCE)
                        continue
                    failed[name] = arrival.file
                else:
                    known.add(name)
                now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
                line = {"image": name, "time": now} | row | {"file": arrival.file, "settings": settings}
                emit(append_line(log, line))
                told.update(images=1, defective=row.get("defective", 0), errors="error" in row)
            time.sleep(max(0.0, POLL - (time.monotonic() - begun), looking * (1 / SHARE - 1)))
    return told


def look(
    folder: Path, out: Path, known: set[str], waiting: dict[str, Arrival], failed: dict[str, list[int]]
) -> list[str]:
    """The names of the images that are to be looked at now, the first to arrive first. `waiting` is brought up to date.

    known: names that are done. failed: those that gave an error, with what the file was like then.
    """
    gone = set(waiting)
    now = time.monotonic()
    for name in listed(folder, out, known):
        file = mark(folder / name)
        if not file or failed.get(name) == file:
            continue
        gone.discard(name)
        if name not in waiting or waiting[name].file != file:
            waiting[name] = Arrival(file, now, now + STILL)
    for name in gone:
        del waiting[name]
    due = [name for name, arrival in waiting.items() if arrival.due <= now]
    return sorted(due, key=lambda name: (waiting[name].since, name))


def finished(log: Path, folder: Path, settings: str) -> set[str]:
    """The names that a call of these settings has looked at, as far as their files are still the same."""
    known = set()
    with log.open(encoding="utf-8") as file:
        for line in file:
            try:
                row = json.loads(line)
                name, same = row["image"], row["settings"] == settings
                if same and "error" not in row and row["file"] == mark(folder / name):
                    known.add(name)
            except (ValueError, KeyError, TypeError):
                continue  # The line was cut off.
    return known


def open_log(path: Path) -> TextIO:
    """A log to add to, on a line of its own even where a kill has cut off the last one."""
    with path.open("a+b") as log:
        log.seek(max(0, log.tell() - 1))
        cut = log.read() not in (b"", b"\n")
    log = path.open("a", encoding="utf-8")
    log.write("\n" * cut)
    return log


def digest(value: Any) -> str:
    """Twelve letters that stand for a value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
