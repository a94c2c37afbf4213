"""Sweeps lose nothing and do nothing twice: killed at random moments, and on many devices."""

import random
import subprocess
import sys
import time

import pytest

from tests.contract.steps import on_fake_devices
from tests.launch.sweeping.small_sweeps import close, start, table

pytestmark = pytest.mark.drill

KILLS = 6


def test_killed_at_random_moments_it_ends_with_the_same_table(finished, tmp_path):
    path, folder = finished
    begun = time.monotonic()
    whole = start(path, tmp_path / "timed")
    whole.join()
    duration = time.monotonic() - begun
    assert whole.exitcode == 0 and table(tmp_path / "timed") == table(folder)
    moments, target, ends, kills = random.Random(0), tmp_path / "0", 0, 0
    while kills < KILLS:
        process = start(path, target)
        process.join(moments.uniform(0, 0.6 * duration))
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
            continue
        assert process.exitcode == 0 and table(target) == table(folder)
        ends += 1
        target = tmp_path / str(ends)
    last = start(path, target)
    last.join()
    assert last.exitcode == 0 and table(target) == table(folder)
    assert not list(target.rglob(".*.json*")) or all(p.is_file() for p in target.rglob("result.json"))


def test_eight_devices_and_one_give_the_same_figures(finished, tmp_path):
    path, folder = finished
    for options in ([], ["--side-by-side", "4"]):
        target = tmp_path / str(len(options))
        words = [sys.executable, "-X", "faulthandler", "-m", "launch.sweep", path, "--workdir", str(target), *options]
        done = subprocess.run(words, env=on_fake_devices(8), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        close(table(folder), table(target), 0.02)
