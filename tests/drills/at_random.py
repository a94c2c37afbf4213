"""Drills drawn at random: each family is given what is whole and a source of chance, and tells of each drill what is
unsound, or ""."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

import data_pipeline
from tests.data_pipeline.folders import load, mvtec
from tests.data_pipeline.fuzzing import damaged
from tests.drills import damage, fuzzed, hostile
from tests.drills.damage import COMMANDS, DAMAGES, Whole, say, told
from tests.launch.small_runs import SMALL, history_of
from tests.launch.sweeping import small_sweeps

LONG = [*SMALL, "train.steps=120", "train.save_every=20"]
WITHIN = 10.0  # seconds in which a signal is answered, where a process has a core


class Ground(NamedTuple):
    """What all drills start from: whole things, and the seconds that a process of each command takes."""

    place: Path
    run: Whole
    trained: Whole
    seconds: dict[str, float]
    sweep: str
    swept: Path


def prepare(place: Path) -> Ground:
    run = damage.whole_run(place)
    trained = run._replace(run=place / "long" / "run", words=LONG)
    seconds = {}
    trained.run.parent.mkdir()
    for command in ("train", "evaluate", "detect"):
        begun = time.monotonic()
        assert child(command, trained.words_of(command, trained.run), place / "said") == 0, (place / "said").read_text()
        seconds[command] = time.monotonic() - begun
    (place / "sweep").mkdir()
    return Ground(place, run, trained, seconds, *small_sweeps.unbroken(place / "sweep"))


def emptied(ground: Ground) -> Path:
    """The folder of a drill."""
    place = ground.place / "drill"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return place


def child(command: str, words: list[str], said: Path, meanwhile=lambda process: None) -> int | None:
    """A command in a process of its own that `meanwhile` may end. Returns its exit status."""
    process = small_sweeps.FORKS.Process(target=damage.apart, args=(command, words, str(said)))
    process.start()
    try:
        meanwhile(process)
        process.join()
    finally:
        process.kill()
        process.join()
    return process.exitcode


def killed(ground: Ground, random: Random) -> Iterator[str]:
    yield interrupted(ground, random, signal.SIGKILL)


def stopped(ground: Ground, random: Random) -> Iterator[str]:
    yield interrupted(ground, random, random.choice((signal.SIGTERM, signal.SIGHUP, signal.SIGINT)))


def interrupted(ground: Ground, random: Random, number: int) -> str:
    """One or two signals to a command at random moments; then the same command leaves what it would have."""
    place, command = emptied(ground), random.choice(("train", "train", "evaluate", "detect"))
    run = place / "run"
    if command != "train":
        shutil.copytree(ground.trained.run, run)
    words, within = ground.trained.words_of(command, run), WITHIN * max(1.0, os.getloadavg()[0] / os.cpu_count())
    for turn in range(random.randint(1, 2)):
        answered, said = [], place / f"said {turn}"

        def send(process, answered=answered, said=said):
            while process.exitcode is None and not said.exists():
                process.join(0.01)
            process.join(random.uniform(0, ground.seconds[command]))
            if process.exitcode is None:
                sent = time.monotonic()
                os.kill(process.pid, number)
                process.join()
                answered.append(time.monotonic() - sent)

        status = child(command, words, said, send)
        if status not in (0, 128 + number, -number) or "Traceback" in said.read_text():
            return f"{command}: exit status {status} after {signal.Signals(number).name}: {said.read_text()[-800:]}"
        if answered and answered[0] > within:
            return f"{command}: {signal.Signals(number).name} was answered after {answered[0]:.0f} s"
    if (status := child(command, words, said)) != 0 or "Traceback" in said.read_text():
        return f"{command}: the same command ends with {status}: {said.read_text()[-800:]}"
    return other_than_before(ground, run, command)


def other_than_before(ground: Ground, run: Path, command: str) -> str:
    if command == "train":
        logs = [[{k: v for k, v in line.items() if k != "seconds"} for line in history_of(one)]
                for one in (ground.trained.run, run)]  # fmt: skip
        if logs[0] != logs[1]:
            return "another history"
    left = [path.name for path in run.rglob("*") if path.name.startswith(".maps") or path.suffix == ".tmp"]
    return f"left behind: {left}" if left else damage.differs(ground.trained, run, command, [], mended=False)


def full_disk(ground: Ground, random: Random) -> Iterator[str]:
    """A training on a disk of a random size; with more of it the same command leaves what it would have."""
    place = emptied(ground)
    disk, said = place / "disk", place / "said"
    disk.mkdir()
    size = int(10 ** random.uniform(4.3, 6.3))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True).returncode:
        return  # Mounting needs root.
    try:
        words = ground.trained.words_of("train", disk / "run")
        status, text = child("train", words, said), said.read_text()
        if "Traceback" in text or status not in (0, 1) or (status and "ree space" not in text):
            yield f"{size} bytes: {status}: {text[-800:]}"
            return
        subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
        if (status := child("train", words, said)) != 0:
            yield f"{size} bytes, then more: {status}: {said.read_text()[-800:]}"
        else:
            yield other_than_before(ground, disk / "run", "train")
    finally:
        subprocess.run(["umount", disk], check=True)


def damaged_run(ground: Ground, random: Random) -> Iterator[str]:
    """Up to three files are damaged at once, not both of the config: then nothing is promised."""
    names = random.sample(damage.files_of(ground.run.run), random.choice((1, 1, 1, 2, 3)))
    names = [name for name in names if name != ".config" or "config.json" not in names]
    damages, command = [(name, random.choice(DAMAGES)) for name in names], random.choice(COMMANDS)
    wrong = damage.trial(ground.run, ground.place / "drill", damages, command, random)
    yield f"{told(damages)}, {command}: {wrong}" if wrong else ""


def damaged_in_a_row(ground: Ground, random: Random) -> Iterator[str]:
    """One file after another of the same run, each mended before the next."""
    yield from damage.in_a_row(ground.run, emptied(ground) / "run", random)


def killed_sweep(ground: Ground, random: Random) -> Iterator[str]:
    folder = emptied(ground) / "sweep"
    for _ in range(random.randint(1, 2)):
        moment = random.uniform(0, ground.seconds["train"])
        words = [ground.sweep, "--workdir", str(folder)]
        child("sweep", words, folder.with_name("said"), lambda process, moment=moment: process.join(moment))
    yield swept_again(ground, folder)


def damaged_sweep(ground: Ground, random: Random) -> Iterator[str]:
    folder = emptied(ground) / "sweep"
    shutil.copytree(ground.swept, folder)
    path = random.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
    how = random.choice(DAMAGES)
    how(path, random)
    wrong = swept_again(ground, folder)
    yield f"{path.relative_to(folder)}, {how.__name__}: {wrong}" if wrong else ""


def swept_again(ground: Ground, folder: Path) -> str:
    said = say("sweep", ground.sweep, "--workdir", str(folder))
    if said.status:
        return f"the same command ends with {said.status}: {said.text}"
    same = small_sweeps.table(folder) == small_sweeps.table(ground.swept)
    return "" if same else "another table"


def damaged_dataset(ground: Ground, random: Random) -> Iterator[str]:
    """Bytes of a prepared dataset are changed: what is read of it is what its images hold."""
    place, rng = emptied(ground), np.random.default_rng(random.getrandbits(32))
    root, cache = mvtec(place / "set"), place / "cache"
    direct = load("mvtec", root)
    data_pipeline.load("mvtec", root=root, cache=cache)
    mended = importlib.import_module("tests.data_pipeline.test_prepared").mended

    def change(files):
        path = files[sorted(files)[rng.integers(len(files))]]
        path.write_bytes(damaged(path.read_bytes(), rng))

    for _ in range(10):
        try:
            mended(change, root, cache, direct)
            yield ""
        except Exception as error:
            yield repr(error)


def hostile_names(ground: Ground, random: Random) -> Iterator[str]:
    yield from hostile.names(ground.run, emptied(ground), random)


def odd_folder(ground: Ground, random: Random) -> Iterator[str]:
    """What check_data passes is read and divided."""
    agrees = importlib.import_module("tests.launch.test_check_data_agrees")
    odd = importlib.import_module("tests.data_pipeline.odd_folders").odd_folder
    root = emptied(ground) / "set"
    done = odd(root, np.random.default_rng(random.getrandbits(32)))
    said = say("check_data", str(root))
    try:
        refused = agrees.taken(root)
    except AssertionError as error:
        yield f"{done}: unclear: {error!r}"
        return
    clear = said.status in (0, 1) and all(line.isprintable() for line in said.text.splitlines())
    yield "" if clear and (said.status or not refused) else f"{done}: {refused} {said}"


def damaged_images(ground: Ground, random: Random) -> Iterator[str]:
    yield from apart(ground, random, fuzzed.damaged_images)


def damaged_weights(ground: Ground, random: Random) -> Iterator[str]:
    yield from apart(ground, random, fuzzed.damaged_weights)


def odd_words(ground: Ground, random: Random) -> Iterator[str]:
    yield from apart(ground, random, fuzzed.odd_words)


def apart(ground: Ground, random: Random, family) -> Iterator[str]:
    """The drills of a family in a process of their own; what it dies of is unsound."""
    place = emptied(ground)
    record = place / "record"
    process = small_sweeps.FORKS.Process(target=fuzzed.run, args=(family, place, str(random.random()), record))
    process.start()
    process.join(300)
    process.kill()
    process.join()
    for line in record.read_text().splitlines() if record.exists() else ():
        name, _, wrong = line.partition("\t")
        wrong = json.loads(wrong) if wrong else f"it ended the process, with {process.exitcode}"
        yield f"{json.loads(name)}: {wrong}" if wrong else ""


SHARES = {  # of the time
    killed: 12, stopped: 14, full_disk: 8, damaged_run: 20, damaged_in_a_row: 10, killed_sweep: 6, damaged_sweep: 8,
    damaged_dataset: 5, damaged_images: 4, damaged_weights: 3, hostile_names: 5, odd_folder: 3, odd_words: 6,
}  # fmt: skip
