"""The cluster path on a real, throw-away Slurm of one node: what is submitted, cancelled, timed out and resumed."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from launch.command.configuration import word
from tests.drills.slurm import throwaway
from tests.launch.small_runs import history_of
from tests.launch.sweeping.small_sweeps import OWN

pytestmark = [
    pytest.mark.drill,
    pytest.mark.skipif(bool(throwaway.missing()), reason=throwaway.missing() or "Slurm can be started"),
]
ROOT = Path(__file__).parents[2]
BASE = OWN | {
    "train.patch": 16, "train.batch": 16, "train.steps": 20, "report.images": 4, "score.tile": 64, "score.overlap": 16,
    "data.options.size": 64, "data.options.surfaces": (3,), "data.options.train": 6, "data.options.test_good": 2,
    "data.options.test_defective": 2, "train.log_every": 5, "train.save_every": 250,
}  # fmt: skip
SWEEP = f"""
TITLE = SOURCE = "a tiny sweep"
DETECTOR, PRESET, SEEDS, FIGURES = "renet_d", "paper", (0,), ("pixel.auroc",)
BASE = {BASE}
"""
LONG = 5000  # steps, some ten seconds: long enough to be interrupted after its first checkpoint


@pytest.fixture(scope="module")
def slurm() -> Iterator[dict[str, str]]:
    """The environment in which Slurm's commands find the cluster."""
    with throwaway.running() as conf:
        yield os.environ | {"SLURM_CONF": str(conf), "PYTHONPATH": str(ROOT)}


def sweep(place: Path, axis: str, *options: str) -> tuple[Path, list[str]]:
    """The folder of a sweep over one axis, and the command that runs it in Slurm."""
    (place / "tiny.py").write_text(f"{SWEEP}\nAXES = ({axis},)\n")
    folder = place / "sweep"
    command = f"-m launch.sweep {place}/tiny.py --workdir {folder} --launcher slurm".split()
    return folder, [sys.executable, *command, *options]


@pytest.fixture(scope="module")
def array(slurm, tmp_path_factory) -> Path:
    """The folder of a sweep that two workers have run as an array job."""
    place = tmp_path_factory.mktemp("array")
    axis = "{'settings.alpha': (0.15, 0.5, 1.0)}"
    folder, command = sweep(place, axis, "--workers", "2", "--slurm", "cpus_per_task=1", "mem_gb=1.5")
    done = subprocess.run(command, env=slurm, cwd=place, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def ask(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30).stdout


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen]:
    """A sweep, from the moment when its long run has left a checkpoint."""
    with open(folder.parent / "said", "w") as said:
        process = subprocess.Popen(command, env=environment, cwd=folder.parent, stdout=said, stderr=said)
    try:
        until(lambda: len(history_of(long_run(folder))) > 100, process)
        yield process
    finally:
        process.kill()
        process.wait()


def until(ready, process: subprocess.Popen | None = None, *, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end and (process is None or process.poll() is None), "it did not come to that"
        time.sleep(0.1)


def long_run(folder: Path) -> Path:
    return folder / "runs" / f"steps={LONG}-seed=0"


def finished(folder: Path) -> dict[str, int]:
    """When each finished run wrote its result."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("runs/*/result.json")}


def test_a_cancelled_sweep_keeps_what_is_finished_and_goes_on(slurm, tmp_path):
    folder, command = sweep(tmp_path, f"{{'train.steps': (20, {LONG})}}", "--workers", "1")
    with running(command, slurm, folder) as process:
        job = ask(slurm, "squeue", "--noheader", "--format=%A").strip()
        ask(slurm, "scancel", job)
        process.wait(300)
    said = (folder.parent / "said").read_text()
    assert f"worker {job} was cancelled" in said and str(folder / "slurm") in said
    before, history = finished(folder), history_of(long_run(folder))
    assert list(before) == ["steps=20-seed=0"]
    done = subprocess.run(command, env=slurm, cwd=folder.parent, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    after = finished(folder)
    assert len(after) == 2 and after["steps=20-seed=0"] == before["steps=20-seed=0"]
    check_resumed(folder, history)


def test_a_worker_whose_time_is_up_is_requeued_and_resumes(slurm, tmp_path):
    folder, command = sweep(tmp_path, f"{{'train.steps': ({LONG},)}}", "--workers", "1", "--slurm", "timeout_min=5")
    with running(command, slurm, folder) as process:
        job = ask(slurm, "squeue", "--noheader", "--format=%A").strip()
        ask(slurm, "scancel", "--signal=USR2", job)  # What Slurm sends `signal_delay_s` before the time is up.
        until(lambda: "PENDING" in ask(slurm, "squeue", "--noheader", "--format=%T"), process)
        history = history_of(long_run(folder))
        assert not finished(folder)
        ask(slurm, "scontrol", "update", f"jobid={job}", "StartTime=now")  # Slurm holds it back for two minutes.
        process.wait(300)
    said = (folder.parent / "said").read_text()
    assert process.returncode == 0, said
    assert "Requeued job" in (folder / "slurm" / f"{job}_0_log.out").read_text()
    assert len(finished(folder)) == 1
    check_resumed(folder, history)


def test_an_array_job_runs_a_sweep_to_its_end(array):
    assert len(finished(array)) == 3 and not list(array.glob("runs/*/failed.json"))
    logs = sorted((array / "slurm").glob("*_log.out"))
    assert len(logs) == 2 and all("Job completed successfully" in log.read_text() for log in logs)


def test_two_tasks_train_the_run_that_one_trains(slurm, array, tmp_path):
    named = ["--detector", "renet_d", "--preset", "paper"]
    words = ["-m", "launch.train", *named, *(word(field, value) for field, value in BASE.items())]
    done = subprocess.run(
        ["srun", "--ntasks=2", sys.executable, *words, "--workdir", str(tmp_path / "together")],
        env=slurm, cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    hardware = json.loads((tmp_path / "together" / "result.json").read_text())["hardware"]
    assert (hardware["processes"], hardware["devices"]) == (2, 2)
    assert (tmp_path / "together" / "report.html").exists()
    folders = array / "runs" / "alpha=0.15-seed=0", tmp_path / "together"
    alone, together = ([line["loss"] for line in history_of(folder)] for folder in folders)
    # Rounding grows: at a learning rate of 0.01 a rectifier that turns on or off is seen 20 steps later.
    assert len(alone) == 4 and together == pytest.approx(alone, rel=5e-2)
    assert together[0] == pytest.approx(alone[0], rel=1e-3)


def check_resumed(folder: Path, before: list[dict]) -> None:
    """The long run went on from a checkpoint: what it had logged until then was not trained again."""
    after = history_of(long_run(folder))
    assert [line["step"] for line in after] == list(range(5, LONG + 1, 5))
    assert after[:50] == before[:50]  # With the seconds at which they were logged.
