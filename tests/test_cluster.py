"""The launchers of a sweep: worker processes here, and what is said of jobs that end badly. Slurm: test_slurm.py."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from launch.sweeping import cluster

ROOT = Path(__file__).parents[1]
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


@pytest.fixture
def commands(monkeypatch, tmp_path):
    """Puts small shell scripts in the place of Slurm's commands; the others are missing."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def make(**scripts: str) -> None:
        for name, text in scripts.items():
            path = tmp_path / "bin" / name
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)

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
    assert capsys.readouterr().out.splitlines() == [
        "worker 1 was killed by SIGKILL (out of memory?); start again 1 of 2",
        "[worker 1] nothing left",
    ]


def test_a_worker_that_is_killed_every_time_is_given_up(stand_in, capsys):
    folder = stand_in("os.kill(os.getpid(), signal.SIGSEGV)")
    assert cluster.run_local(folder, workers=1) == 1
    assert len(started(folder)) == 3
    assert "SIGSEGV; given up" in capsys.readouterr().out


def test_a_worker_that_names_an_error_is_not_started_again(stand_in, capsys):
    folder = stand_in("sys.exit('error: the disk is full')")
    assert cluster.run_local(folder, workers=2) == 2
    assert len(started(folder)) == 2
    said = capsys.readouterr().out
    assert "[worker 2] error: the disk is full" in said and "worker 2 failed with exit status 1" in said


def test_the_other_workers_go_on_when_one_dies(stand_in, capsys):
    folder = stand_in(
        "try: (folder / '0').touch(exist_ok=False)\n"
        "except FileExistsError: time.sleep(0.5); print('worked')\n"
        "else: sys.exit(2)"
    )
    assert cluster.run_local(folder, workers=2) == 1
    assert "] worked" in capsys.readouterr().out


def test_cores_are_shared_and_each_worker_sees_one_gpu(stand_in, capsys, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    folder = stand_in("print(os.environ['CUDA_VISIBLE_DEVICES'], *sorted(os.sched_getaffinity(0)))")
    cores = sorted(os.sched_getaffinity(0))
    assert cluster.run_local(folder, workers=2) == 0
    lines = sorted(capsys.readouterr().out.splitlines())
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


def test_shares_cover_all_cores_and_go_round_where_there_are_too_few():
    share = lambda *about: [own for own, _ in cluster.shares(about[0], cores=list(range(about[1])), gpus=[])]
    assert share(3, 8) == [[0, 1], [2, 3, 4], [5, 6, 7]]
    assert share(3, 2) == [[0], [0], [1]]
    shown = cluster.shares(3, cores=[0], gpus=["0", "1"])
    assert [extra["CUDA_VISIBLE_DEVICES"] for _, extra in shown] == ["0", "1", "0"]


def test_gpus_are_counted_without_opening_one(commands, monkeypatch):
    for name in ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS"):
        monkeypatch.delenv(name, raising=False)
    assert cluster.visible_gpus() == []
    commands(**{"nvidia-smi": "echo 'GPU 0: A (UUID: a)'; echo '  MIG 1g Device 0'; echo 'GPU 1: A (UUID: b)'"})
    assert cluster.visible_gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert cluster.visible_gpus() == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_no_worker_outlives_its_launcher(name, stand_in, tmp_path):
    folder = stand_in("print('working'); time.sleep(300)")
    code = (
        "import pathlib, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"  # Ignored under nohup.
        "from launch.command import start; from launch.sweeping import cluster; cluster.WORKER = tuple(sys.argv[1:3]);"
        "start.run(lambda argv: cluster.run_local(pathlib.Path(argv[0]), workers=2), sys.argv[3:])"
    )
    launcher = subprocess.Popen(
        [sys.executable, "-c", code, *cluster.WORKER, str(folder)], cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    try:
        until(lambda: len(started(folder)) == 2)
        workers = started(folder)
        assert all(map(alive, workers))
        launcher.send_signal(getattr(signal, name))
        said, _ = launcher.communicate(timeout=60)
        until(lambda: not any(map(alive, workers)), seconds=5)
    finally:
        launcher.kill()
        for worker in filter(alive, started(folder)):
            os.kill(worker, signal.SIGKILL)
    if name != "SIGKILL":
        assert launcher.returncode == 130 and "the same command goes on" in said
        assert "was killed" not in said


def test_without_slurm_the_error_names_the_other_launcher(commands, tmp_path):
    with pytest.raises(RuntimeError, match="sbatch was not found.*--launcher local"):
        cluster.submit(tmp_path, workers=2, options={})
    assert not (tmp_path / "slurm").exists()


@pytest.mark.parametrize(
    "option, message",
    [
        ({"partitoin": "main"}, "no option 'partitoin'; did you mean 'partition'?"),
        ({"timeout_min": "1h"}, "timeout_min='1h' is no int"),
    ],
)
def test_a_wrong_option_of_slurm_is_named(option, message, commands, tmp_path):
    commands(sbatch="exit 1", srun="exit 1")
    with pytest.raises(ValueError) as error:
        cluster.submit(tmp_path, workers=1, options=option)
    assert message in str(error.value)


def test_what_slurm_says_to_a_refused_job_is_passed_on(commands, tmp_path):
    commands(sbatch="echo 'sbatch: error: invalid partition specified: nowhere' >&2; exit 1", srun="exit 1")
    with pytest.raises(RuntimeError, match="refused the job .*invalid partition specified: nowhere"):
        cluster.submit(tmp_path, workers=2, options={"partition": "nowhere"})


def job(tmp_path: Path, job_id: str) -> SimpleNamespace:
    """A submitted job as `wait` sees it."""
    paths = SimpleNamespace(stdout=tmp_path / f"{job_id}.out", result_pickle=tmp_path / f"{job_id}.pkl")
    return SimpleNamespace(job_id=job_id, paths=paths)


def test_each_bad_end_is_one_line_with_the_log(commands, tmp_path, capsys):
    commands(squeue="echo '7_0|COMPLETED'; echo '7_1|OUT_OF_MEMORY'; echo '7_2|CANCELLED'")
    jobs = [job(tmp_path, f"7_{number}") for number in range(3)]
    jobs[1].paths.stdout.write_text("step 5\nslurmstepd: error: Detected 1 oom_kill event\nsrun: error: task 0\n\n")
    assert cluster.wait(jobs, poll_s=0) == 2
    assert capsys.readouterr().out.splitlines() == [
        "worker 7_1 ran out of memory; give it more with --slurm mem_gb= "
        f'("slurmstepd: error: Detected 1 oom_kill event"); its log: {tmp_path}/7_1.out',
        f"worker 7_2 was cancelled; its log: {tmp_path}/7_2.out",
    ]


def test_what_squeue_has_forgotten_is_asked_of_sacct(commands, tmp_path, capsys):
    commands(
        squeue="echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1",
        sacct="echo '7_0|COMPLETED'; echo '7_1|CANCELLED by 1000'",
    )
    assert cluster.wait([job(tmp_path, "7_0"), job(tmp_path, "7_1")], poll_s=0) == 1
    assert "worker 7_1 was cancelled" in capsys.readouterr().out


def test_without_accounts_a_forgotten_job_is_judged_by_what_it_left(commands, tmp_path, capsys):
    commands(squeue="exit 0", sacct="echo 'Slurm accounting storage is disabled' >&2; exit 1")
    done, lost = job(tmp_path, "7_0"), job(tmp_path, "7_1")
    done.paths.result_pickle.touch()
    assert cluster.wait([done, lost], poll_s=0) == 1
    assert "worker 7_1 is no longer known to Slurm" in capsys.readouterr().out


def test_a_job_that_is_requeued_has_not_failed(commands, tmp_path, capsys):
    """While Slurm puts it back it says so for a moment."""
    asked = f"echo >> {tmp_path}/asked; case $(/usr/bin/wc -l < {tmp_path}/asked) in"
    commands(
        squeue=f"{asked} 1) echo '7|RUNNING';; 2) echo '7|FAILED';; 3) echo '7|PENDING';; *) echo '7|COMPLETED';; esac"
    )
    assert cluster.wait([job(tmp_path, "7")], poll_s=0) == 0
    assert capsys.readouterr().out.splitlines() == ["Slurm: 1 running", "Slurm: 1 pending"]


def test_a_silent_slurm_is_waited_for_but_not_for_ever(commands, tmp_path):
    counted = f"echo >> {tmp_path}/asked; [ $(/usr/bin/wc -l < {tmp_path}/asked) -gt 9 ] && echo '7|COMPLETED' && exit;"
    commands(squeue=f"{counted} exit 1")
    assert cluster.wait([job(tmp_path, "7")], poll_s=0) == 0
    commands(squeue="exit 1")
    with pytest.raises(RuntimeError, match="squeue has not answered.*the same command later"):
        cluster.wait([job(tmp_path, "7")], poll_s=0)


def test_a_worker_of_slurm_is_requeued_so_often_and_then_ends_its_process():
    requeued = cluster.Worker("sweep", requeues=1).checkpoint().function
    assert requeued == cluster.Worker("sweep", requeues=0)
    with pytest.raises(SystemExit, match="requeued often enough.*the same command goes on"):
        requeued.checkpoint()
