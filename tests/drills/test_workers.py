"""Worker processes of a sweep on this machine: killed, failing, sharing its cores and GPUs, never left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launch.sweeping import cluster

pytestmark = pytest.mark.drill

ROOT = Path(__file__).parents[2]
# Stands in for a worker: notes its process in the folder, then does what the test wants.
NOTE = "import os, signal, sys, time, pathlib; folder = pathlib.Path(sys.argv[1]); (folder / str(os.getpid())).touch()"


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Makes these lines the worker; returns the folder where each of its processes leaves a file."""

    def make(code: str) -> Path:
        script, folder = tmp_path / "worker.py", tmp_path / "sweep"
        script.write_text(f"{NOTE}\n{code}\n")
        folder.mkdir()
        monkeypatch.setattr(cluster, "WORKER", (sys.executable, str(script)))
        return folder

    return make


def started(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir()]


def alive(process: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    return False


def until(ready, *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def test_a_killed_worker_is_reported_and_started_again(stand_in, capsys):
    folder = stand_in("if len(os.listdir(folder)) == 1: os.kill(os.getpid(), signal.SIGKILL)\nprint('nothing left')")
    assert cluster.run_local(folder, workers=1) == 0
    assert capsys.readouterr().err.splitlines() == [
        "worker 1 was killed by SIGKILL (out of memory?); start again 1 of 2",
        "[worker 1] nothing left",
    ]


def test_a_worker_that_is_killed_every_time_is_given_up(stand_in, capsys):
    folder = stand_in("os.kill(os.getpid(), signal.SIGSEGV)")
    assert cluster.run_local(folder, workers=1) == 1
    assert len(started(folder)) == 3
    assert "SIGSEGV; given up" in capsys.readouterr().err


def test_a_worker_that_names_an_error_is_not_started_again(stand_in, capsys):
    folder = stand_in("sys.exit('error: the disk is full')")
    assert cluster.run_local(folder, workers=2) == 2
    assert len(started(folder)) == 2
    said = capsys.readouterr().err
    assert "[worker 2] error: the disk is full" in said and "worker 2 failed with exit status 1" in said


def test_the_other_workers_go_on_when_one_dies(stand_in, capsys):
    folder = stand_in(
        "try: (folder / '0').touch(exist_ok=False)\n"
        "except FileExistsError: time.sleep(0.5); print('worked')\n"
        "else: sys.exit(2)"
    )
    assert cluster.run_local(folder, workers=2) == 1
    assert "] worked" in capsys.readouterr().err


def test_cores_are_shared_and_each_worker_sees_one_gpu(stand_in, capsys, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    folder = stand_in("print(os.environ['CUDA_VISIBLE_DEVICES'], *sorted(os.sched_getaffinity(0)))")
    cores = sorted(os.sched_getaffinity(0))
    assert cluster.run_local(folder, workers=2) == 0
    lines = sorted(capsys.readouterr().err.splitlines())
    half = max(1, len(cores) // 2)
    assert lines[0] == f"[worker 1] 5 {' '.join(map(str, cores[:half]))}"
    assert lines[1] == f"[worker 2] 7 {' '.join(map(str, cores[len(cores) // 2 :]))}"


def test_there_is_a_worker_for_each_gpu_or_two(stand_in, monkeypatch):
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    folder = stand_in("")
    for visible, count in (("0,1,2", 3), ("", 2)):
        before = len(started(folder))
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert cluster.run_local(folder) == 0
        assert len(started(folder)) - before == count


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_no_worker_outlives_its_launcher(name, stand_in, tmp_path):
    folder = stand_in("print('working'); time.sleep(300)")
    code = (
        "import pathlib, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"  # Ignored under nohup.
        "from launch.command import start; from launch.sweeping import cluster; cluster.WORKER = tuple(sys.argv[1:3]);"
        "start.run(lambda argv: cluster.run_local(pathlib.Path(argv[0]), workers=2), sys.argv[3:])"
    )
    launcher = subprocess.Popen(
        [sys.executable, "-c", code, *cluster.WORKER, str(folder)], cwd=ROOT, text=True, stderr=subprocess.PIPE
    )
    try:
        until(lambda: len(started(folder)) == 2)
        workers = started(folder)
        assert all(map(alive, workers))
        launcher.send_signal(getattr(signal, name))
        _, said = launcher.communicate(timeout=60)
        until(lambda: not any(map(alive, workers)), seconds=5)
    finally:
        launcher.kill()
        for worker in filter(alive, started(folder)):
            os.kill(worker, signal.SIGKILL)
    if name != "SIGKILL":
        assert launcher.returncode == 128 + getattr(signal, name) and "the same command goes on" in said
        assert "was killed" not in said
