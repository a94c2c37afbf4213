"""What is said of jobs that end badly, and how cores and GPUs are shared. Workers and Slurm: tests/drills."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from launch.sweeping import cluster


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
    assert capsys.readouterr().err.splitlines() == [
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
    assert "worker 7_1 was cancelled" in capsys.readouterr().err


def test_without_accounts_a_forgotten_job_is_judged_by_what_it_left(commands, tmp_path, capsys):
    commands(squeue="exit 0", sacct="echo 'Slurm accounting storage is disabled' >&2; exit 1")
    done, lost = job(tmp_path, "7_0"), job(tmp_path, "7_1")
    done.paths.result_pickle.touch()
    assert cluster.wait([done, lost], poll_s=0) == 1
    assert "worker 7_1 is no longer known to Slurm" in capsys.readouterr().err


def test_a_job_that_is_requeued_has_not_failed(commands, tmp_path, capsys):
    """While Slurm puts it back it says so for a moment."""
    asked = f"echo >> {tmp_path}/asked; case $(/usr/bin/wc -l < {tmp_path}/asked) in"
    commands(
        squeue=f"{asked} 1) echo '7|RUNNING';; 2) echo '7|FAILED';; 3) echo '7|PENDING';; *) echo '7|COMPLETED';; esac"
    )
    assert cluster.wait([job(tmp_path, "7")], poll_s=0) == 0
    assert capsys.readouterr().err.splitlines() == ["Slurm: 1 running", "Slurm: 1 pending"]


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
