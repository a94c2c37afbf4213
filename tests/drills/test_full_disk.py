"""A disk that is full: the old file, the last checkpoint and the finished runs stay, and the error names the remedy."""

import os
import subprocess
import sys

import pytest

from jaxdefect.training.checkpoint import Checkpoints
from launch.sweeping import plan
from tests.jaxdefect.training.checkpoints import STATE, saved
from tests.launch.sweeping.small_sweeps import run_sweep, table, write

pytestmark = pytest.mark.drill

FILL = """
import resource, sys
import numpy as np
from jaxdefect.training.checkpoint import Checkpoints
checkpoints = Checkpoints(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # As on a full disk, files stop growing.
try:
    checkpoints.save(20, {"kernel": np.random.default_rng(0).normal(size=200000)}, loss=0.1, progress={})
except OSError as error:
    print(error)
"""


def test_a_full_disk_is_reported_and_the_last_checkpoint_kept(tmp_path):
    saved(tmp_path)
    done = subprocess.run([sys.executable, "-c", FILL, str(tmp_path)], capture_output=True, text=True)
    assert "could not write the checkpoint of step 20" in done.stdout, done.stderr
    assert "step 10 is kept" in done.stdout and "free space" in done.stdout
    assert Checkpoints(tmp_path).restore(STATE)[0] == 10


def test_a_full_disk_leaves_the_old_file(tmp_path):
    target = tmp_path / "result.json"
    target.write_text("old")
    script = f"""
import resource
from pathlib import Path
from launch.command import files
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with files.replacing(Path({str(target)!r})) as file:
    file.write("new" * 10000)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode and "could not write" in done.stderr and "free space" in done.stderr
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["result.json"]


def test_a_full_disk_stops_the_sweep_and_finished_runs_stay(tmp_path):
    small = tmp_path / "disk"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no small disk: mounting needs root")
    try:
        words = [sys.executable, "-m", "launch.sweep", write(tmp_path), "--workdir", str(small / "s")]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 1 and "free space" in done.stdout.lower(), done.stdout
        assert "Traceback" not in done.stdout
        assert not list(small.rglob("failed.json"))
        states = [run.status for run in plan.read(small / "s").runs]
        assert "unfinished" in states
        subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
        run_sweep(write(tmp_path), small / "s")
        assert [row["status"] for row in table(small / "s")] == ["finished"] * 4
    finally:
        subprocess.run(["umount", str(small)])
