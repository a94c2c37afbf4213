"""A disk that is full: the old file, the last checkpoint and the finished runs stay, and the error names the remedy."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import data_pipeline
from jaxdefect.training.checkpoint import Checkpoints
from launch.sweeping import plan
from tests.data_pipeline.folders import load, mvtec, write_image
from tests.data_pipeline.test_prepared import as_held
from tests.drills.damage import differs, say
from tests.jaxdefect.training.checkpoints import STATE, saved
from tests.launch.small_runs import whole as small_of
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


@pytest.fixture
def disk(tmp_path):
    """A small disk, empty, and a function that changes its size."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("no small disk: mounting needs root")
    try:
        yield place, lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", place], check=True)
    finally:
        subprocess.run(["umount", place], check=True)


def used(place):
    status = os.statvfs(place)
    return status.f_frsize * (status.f_blocks - status.f_bfree)


def files_of(place):
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file() and path.name != ".lock"}


def test_a_full_disk_stops_the_sweep_and_finished_runs_stay(tmp_path, disk):
    small, resize = disk
    said = say("sweep", write(tmp_path), "--workdir", str(small / "s"))
    assert said.status == 1 and "the disk is full" in said.text and "free space" in said.text, said
    assert "Traceback" not in said.text and str(small) in said.text
    assert not list(small.rglob("failed.json"))
    assert "unfinished" in [run.status for run in plan.read(small / "s").runs]
    resize("200m")
    run_sweep(write(tmp_path), small / "s")
    assert [row["status"] for row in table(small / "s")] == ["finished"] * 4


@pytest.mark.parametrize("command", ["evaluate", "detect", "report"])
def test_a_full_disk_leaves_what_was_there(tmp_path, disk, whole, command):
    small, resize = disk
    resize("50m")
    run = small / "run"
    shutil.copytree(whole.run, run)
    before = files_of(run)
    for room in (0, 20_000, 60_000):
        resize((used(small) // 4096 + 1) * 4096 + room)
        said = say(command, *whole.words_of(command, run))
        if said.status:
            assert said.status == 1 and "the disk is full" in said.text and "ree space" in said.text, said
            assert "Traceback" not in said.text and str(small) in said.text
        after = files_of(run)
        unchanged = {path for path in before if path.name not in ("result.json", "report.html")}
        assert said.status == 0 or all(after[path] == before[path] for path in unchanged), room
        assert json.loads((run / "result.json").read_bytes()) and not list(run.rglob("*.tmp"))
    resize("50m")
    assert say(command, *whole.words_of(command, run)).status == 0
    assert differs(whole, run, command, [], mended=True) == ""


@pytest.mark.parametrize("room", [4096, 16384, 65536])
def test_a_cache_on_a_full_disk_is_named_with_its_remedy(tmp_path, disk, room):
    small, resize = disk
    root = mvtec(tmp_path / "set")
    for number in range(30):
        write_image(root / f"train/good/x{number}.png", height=64, width=64)
    resize(room)
    with pytest.raises(OSError, match=rf"{small}: the disk is full.*JAXDEFECT_CACHE=FOLDER"):
        data_pipeline.load("mvtec", root=root, cache=small)
    assert not list(small.rglob("*array_record*"))
    resize("10m")
    as_held(data_pipeline.load("mvtec", root=root, cache=small), load("mvtec", root))


def test_programs_that_a_full_disk_does_not_keep_are_told_of_in_a_line(tmp_path, disk):
    small, resize = disk
    resize(4096)
    words = [sys.executable, "-m", "launch.train", *small_of("dct"), "--workdir", str(tmp_path / "run")]
    done = subprocess.run(
        words, env=os.environ | {"JAX_COMPILATION_CACHE_DIR": str(small)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("are not kept") == 1 and f"{small}: the disk is full" in done.stderr, done.stderr
