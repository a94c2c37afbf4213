"""A folder that is watched for a while: nothing is lost, and neither latency nor memory grows.

Half a minute of 5 images a second; an hour by JAXDEFECT_WATCH_SECONDS=3600, with a run of your own by
JAXDEFECT_WATCH_RUN=RUN. `pytest -s` shows the figures.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from data_pipeline import images
from launch import train
from tests import tiny

pytestmark = pytest.mark.drill
RATE, BAD = 5, 50  # images a second; every so many is a bad file
SIDE = 256


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    if "JAXDEFECT_WATCH_RUN" in os.environ:
        return Path(os.environ["JAXDEFECT_WATCH_RUN"])
    workdir = tmp_path_factory.mktemp("run") / "dct"
    train.main(["--detector", "dct", *tiny.words("dct"), "--workdir", str(workdir)])
    return workdir


class Watcher:
    """The command in a process of its own, and when each image's line came."""

    def __init__(self, run, folder, out):
        words = [sys.executable, "-m", "launch.detect", str(run), str(folder), "--out", str(out), "--watch"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.came = [], {}
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            row = json.loads(line)
            self.came[row["image"]] = time.monotonic()
            self.lines.append(row)

    def wait_for(self, count, seconds):
        until = time.monotonic() + seconds
        while len(self.lines) < count and time.monotonic() < until and self.process.poll() is None:
            time.sleep(0.05)
        assert len(self.lines) >= count, (len(self.lines), self.process.poll())

    def resident(self):
        """Megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1e3

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        said = self.process.stderr.read()
        assert self.process.wait(60) == 0, said
        self.reader.join()
        return said


def fill(folder, seconds):
    """Writes images in two halves, as a camera does. Returns when each was whole."""
    contents = [
        images.png(np.random.default_rng(seed).integers(90, 160, (SIDE, SIDE, 1), np.uint8)) for seed in range(8)
    ]
    whole, begun = {}, time.monotonic()
    for number in range(round(seconds * RATE)):
        time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
        name = f"{number:06d}.png"
        content = contents[number % len(contents)]
        with (folder / name).open("wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            time.sleep(0.03)
            file.write(b"" if number % BAD == BAD - 1 else content[len(content) // 2 :])
        whole[name] = time.monotonic()
    return whole


def test_a_folder_is_watched_for_a_while(run, tmp_path):
    seconds = float(os.environ.get("JAXDEFECT_WATCH_SECONDS", 25))
    (tmp_path / "in").mkdir()
    watcher = Watcher(run, tmp_path / "in", tmp_path / "out")
    first = fill(tmp_path / "in", 10)  # In which it starts and compiles.
    watcher.wait_for(len(first), 120)
    before = watcher.resident()
    (tmp_path / "in" / "line").mkdir()
    whole = fill(tmp_path / "in" / "line", seconds)
    watcher.wait_for(len(first) + len(whole), 60)
    after, said = watcher.resident(), watcher.stop()
    bad = {row["image"] for row in watcher.lines if "error" in row}
    assert bad == {row["image"] for row in watcher.lines if (int(Path(row["image"]).stem) + 1) % BAD == 0}
    assert (
        len(watcher.lines) == len(watcher.came) == len(first) + len(whole) and f"{len(bad)} could not be read" in said
    )
    taken = [1e3 * (watcher.came[f"line/{name}"] - at) for name, at in whole.items() if f"line/{name}" not in bad]
    thirds = [float(np.median(part)) for part in np.array_split(taken, 3)]
    middle, worst = np.quantile(taken, (0.5, 0.99))
    print(f"\n{len(taken)} images in {seconds:.0f} s: p50 {middle:.0f} ms, p99 {worst:.0f} ms, "
          f"medians of thirds {', '.join(f'{ms:.0f}' for ms in thirds)} ms; "
          f"{before:.0f} MB at the start, {after:.0f} MB at the end")  # fmt: skip
    assert thirds[2] < 2 * thirds[0] and after < before + 20 + 1e-3 * len(taken)
    again = Watcher(run, tmp_path / "in", tmp_path / "out")
    again.wait_for(len(bad), 60)  # Bad files are tried again, and nothing else is.
    assert f"{len(bad)} could not be read" in again.stop() and {row["image"] for row in again.lines} == bad
