"""Files of a run are damaged, then a command is run: what a drill of damages is made of.

A command must end in success with nothing wrong in what it wrote, or in one error that names a file and a remedy,
which is then typed: after it the same command succeeds, or names the next file.
"""

import contextlib
import importlib
import io
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from launch.command import start
from launch.run import folder
from launch.run.history import read_history
from tests.launch.small_runs import SMALL, rows_of, write

COMMANDS = ("train", "evaluate", "detect", "report")
SPENT = ("name", "timings", "date", "seal", "files")  # of a result: what differs between evaluations of the same
UNREAD = re.compile(r"report\.html|tensorboard/.*|\.lock|flaws\.png")  # of a run: files that no command reads
AGAIN = "the same command trains from the start"
IN_A_ROW = 100
LOGS = ("history.jsonl",)  # a changed digit there is not noticed, a lost line is not trained again


class Said(NamedTuple):
    """How a command ended and what it printed."""

    status: int  # 99 for a traceback
    text: str


def say(command: str, *words: str) -> Said:
    """Runs a command as `python -m launch.<command>` would, in this process, where all is compiled already."""
    said, status, argv = io.StringIO(), 0, sys.argv
    sys.argv = [command, *words]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            runpy.run_module(f"launch.{command}", run_name="__main__")
    except SystemExit as end:
        status = end.code or 0
    except BaseException as error:
        status = 99
        said.write(f"Traceback: {type(error).__name__}: {error}")
    finally:
        sys.argv = argv
    return Said(status, said.getvalue())


def apart(command: str, words: list[str], said: str) -> None:
    """A command in a process of its own; what it says is added to a file."""
    for stream in (1, 2):
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    start.run(lambda argv: importlib.import_module(f"launch.{command}").main(argv), words)


class Whole(NamedTuple):
    """A finished run that nothing has happened to, a folder of images, and what the commands leave there."""

    run: Path
    images: Path
    words: list[str]

    def words_of(self, command: str, run: Path) -> list[str]:
        """The command line of a command on a copy of the run."""
        return {
            "train": [*self.words, "--workdir", str(run)], "evaluate": [str(run)], "report": [str(run)],
            "detect": [str(run), str(self.images), "--out", str(run.with_name("found"))],
        }[command]  # fmt: skip

    def left(self, command: str, run: Path) -> dict:
        """What a command has left that must be the same every time."""
        if command == "detect":
            return {"rows": rows_of(run.with_name("found") / "detections.csv")}
        if command == "report":
            return {}  # Its page is compared by itself: it may say what is missing.
        result = json.loads((run / "result.json").read_bytes())
        left = {name: value for name, value in result.items() if name not in SPENT} | {
            "predictions": (run / "predictions.csv").read_bytes(), "config": (run / "config.json").read_bytes(),
            "files": result["files"],
        }  # fmt: skip
        if command == "train":
            for folder_of in ("calibrated", "checkpoints"):
                left[folder_of] = sealed(run / folder_of)
        return left


def whole_run(place: Path) -> Whole:
    """Trains the small run that is damaged again and again, and runs every command on it once."""
    whole = Whole(place / "run", place / "images", SMALL)
    for number in range(2):
        write(whole.images / f"{number}.png", 40, 40, seed=number)
    for command in COMMANDS:
        said = say(command, *whole.words_of(command, whole.run))
        assert said.status == 0, said.text
    return whole


def sealed(steps: Path) -> tuple[str, str]:
    """The last checkpoint of a folder and the checksum of its values. One before it may be damaged: nobody reads it."""
    path = max(steps.glob("*/about/metadata"), key=lambda path: int(path.parts[-3]))
    return path.parts[-3], json.loads(path.read_bytes())["checksum"]


def files_of(run: Path) -> list[str]:
    """Every file of a run that a command may read, by its name in the run."""
    names = [str(path.relative_to(run)) for path in sorted(run.rglob("*")) if path.is_file()]
    return [name for name in names if not UNREAD.fullmatch(name)]


def cut(path: Path, random: Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: random.randrange(len(content))] if content else b"")


def empty(path: Path, random: Random) -> None:
    path.write_bytes(b"")


def delete(path: Path, random: Random) -> None:
    path.unlink()


def flip(path: Path, random: Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(3 if content else 0):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def no_text(path: Path, random: Random) -> None:
    content = bytearray(path.read_bytes())
    content[: len(content) // 2 + 1] = b"\xff\xfe" * (len(content) // 4 + 1)
    path.write_bytes(content)


def other_type(path: Path, random: Random) -> None:
    """JSON of other types, as a whole or of one value in it; arrays of other shapes and types."""
    if path.suffix == ".npz" and zipfile.is_zipfile(path):
        with np.load(path) as archive:
            arrays = dict(archive)
        name = random.choice(sorted(arrays))
        arrays[name] = random.choice(
            [arrays[name].T, np.float64(3), np.array(["a"]), arrays[name][:0], np.ones((2, 2))]
        )
        np.savez(path, **arrays)
        return
    try:
        value = json.loads(path.read_bytes())
    except ValueError:
        path.write_text(random.choice(("[]", "{}", "3")))
        return
    other = random.choice(([], {}, 3, "x", None, True, [[1]], -1.5))
    inner, place = value, None
    while isinstance(inner, (dict, list)) and inner and random.random() < 0.8:
        place = (inner, random.choice(list(inner) if isinstance(inner, dict) else range(len(inner))))
        inner = inner[place[1]]
    if place is None:
        value = other
    else:
        place[0][place[1]] = other
    path.write_text(json.dumps(value))


DAMAGES: tuple[Callable[[Path, Random], None], ...] = (cut, empty, delete, flip, no_text, other_type)


Damages = Sequence[tuple[str, Callable[[Path, Random], None]]]  # (file of a run, how it is damaged)


def trial(whole: Whole, place: Path, damages: Damages, command: str, random: Random) -> str:
    """Damages files of a copy of the run and runs a command. Returns what is unsound, or ""."""
    run = place / "run"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole.run, run)
    return endured(whole, run, damages, command, random)


def endured(
    whole: Whole, run: Path, damages: Damages, command: str, random: Random, *, before: Sequence[str] = ()
) -> str:
    """Damages files of a run and runs a command. Returns what is unsound, or "".

    before: files that were damaged earlier, and that no command may have read since.
    """
    whole_files = {name: (run / name).read_bytes() for name, _ in damages}
    for name, damage in damages:
        damage(run / name, random)
    # A cut at the end, or three flips that undo one another, are no damage.
    changed = lambda name: not (run / name).is_file() or (run / name).read_bytes() != whole_files[name]
    names = [name for name in whole_files if changed(name)]
    words = whole.words_of(command, run)
    said = first = say(command, *words)
    told = [first.text]
    while said.status and len(told) <= 4 * len(names):
        if wrong := unclear(said, [*names, *before]):
            return f"{wrong} AFTER {' THEN '.join(told[:-1])}" if told[1:] else wrong
        followed = follow(remedy_of(said.text))
        # A remedy may lead to the next file.
        said = followed if followed.status else say(command, *words)
        told.append(said.text)
    if said.status:
        return f"the remedy does not work: {' THEN '.join(told)}"
    return differs(whole, run, command, names, mended=first.status != 0)


def in_a_row(whole: Whole, run: Path, random: Random) -> Iterator[str]:
    """One file after another of one run, each mended before the next: what is unsound of each, or ""."""
    shutil.copytree(whole.run, run)
    history, before = [], []
    for _ in range(IN_A_ROW):
        name = random.choice([name for name in files_of(run) if name not in LOGS and "-broken" not in name])
        damages, command = [(name, random.choice(DAMAGES))], random.choice(("train", "evaluate", "detect"))
        history.append(f"{told(damages)}, {command}")
        wrong = endured(whole, run, damages, command, random, before=before)
        before.append(name)
        yield f"{'; '.join(history)}: {wrong}" if wrong else ""
        if wrong:
            return


def told(damages: Damages) -> str:
    return ", ".join(f"{name} {how.__name__}" for name, how in damages)


def unclear(said: Said, names: Sequence[str]) -> str:
    """What is wrong with an error, or ""."""
    if said.status != 1 or "Traceback" in said.text:
        return f"a traceback: {said.text}"
    if not any(name.split("/")[0] in said.text for name in names):
        return f"{', '.join(names)} not named: {said.text}"
    return "" if remedy_of(said.text) else f"no remedy: {said.text}"


def remedy_of(text: str) -> str:
    """What an error tells to type: a command, or AGAIN."""
    found = re.search(r"(python -m launch\.\w+ .*?|\brm .*?)(, which|$)", text.strip().replace("\n", " "))
    return found[1] if found else AGAIN if AGAIN in text.replace("\n", " ") else ""


def follow(remedy: str) -> Said:
    """Types a remedy."""
    words = shlex.split(remedy)
    if remedy == AGAIN:
        return Said(0, "")
    if words[0] == "rm":
        return Said(subprocess.run(words).returncode, "")
    return say(words[2].removeprefix("launch."), *words[3:])


def differs(whole: Whole, run: Path, command: str, names: Sequence[str], *, mended: bool) -> str:
    """What a command that succeeded has left otherwise than on the whole run, or ""."""
    theirs, ours = whole.left(command, whole.run), whole.left(command, run)
    other = [part for part in theirs if theirs[part] != ours.get(part)]
    if command == "report" and mended:
        other = folder.changed(run, folder.read_result(run))  # Only its times are new.
    elif command == "report":
        pages = [(place / "report.html").read_text() for place in (whole.run, run)]
        read = [name for name in names if name not in LOGS and name.split("/")[0] not in ("checkpoints", "calibrated")]
        told = all(name.split("/")[-1] in pages[1] for name in read)
        other = [] if pages[0] == pages[1] or told else ["the page, which does not say so"]
    elif command == "train" and not set(LOGS).intersection(names):
        steps = [[line["step"] for line in read_history(place / "history.jsonl")[0]] for place in (whole.run, run)]
        other += ["history"] if steps[0] != steps[1] else []
    return f"other than before: {', '.join(other)}" if other else ""
