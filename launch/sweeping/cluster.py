"""The workers of a sweep: processes on this machine, or an array job of Slurm (through submitit).

Workers share nothing but the folder of the sweep: each takes the next run that nobody holds (worker.py), so that one
more, one less or one started again changes nothing but the time. This process never touches a GPU itself.
"""

import asyncio
import collections
import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from launch.command import stopping
from launch.command.configuration import nearest
from launch.command.console import messages

WORKER = (sys.executable, "-m", f"{__package__}.worker")  # and the folder
RESTARTS = 2  # of a worker that was killed
PATIENCE_S = 10  # for a worker that is asked to stop
SILENCE = 30  # polls in a row that Slurm may leave unanswered
CHATTER = ("srun:", "submitit ", "INFO:submitit:", "WARNING:submitit:")  # lines of a log that say nothing of the run

# Runs a command that dies with its launcher, even if that is killed (PR_SET_PDEATHSIG = 1, SIGKILL = 9), and keeps it
# to some cores, which is where XLA takes its number of threads from. Both outlive exec. As a preexec_fn the same
# would run between fork and exec, where a process with threads may hang.
TETHER = """
import ctypes, os, sys
launcher, cores, *command = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
    if cores:
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    if os.getppid() != int(launcher):
        sys.exit("the launcher is gone")
os.execv(command[0], command)
"""

# What --slurm takes, with the type of its value. Whatever else sbatch knows can be set with SBATCH_... variables.
OPTIONS = {
    "partition": str, "account": str, "qos": str, "constraint": str, "timeout_min": int, "cpus_per_task": int,
    "mem_gb": float, "gpus_per_task": int, "gpus_per_node": int, "array_parallelism": int, "signal_delay_s": int,
    "setup": str, "max_requeues": int,
}  # fmt: skip
DEFAULTS = {"timeout_min": 240, "max_requeues": 20}
SHARED = ("timeout_min", "cpus_per_task", "mem_gb", "gpus_per_node")  # that submitit knows of any kind of cluster

# How a job of Slurm can end, and what to do about it.
ENDS = {
    "COMPLETED": "",
    "CANCELLED": "was cancelled",
    "DEADLINE": "missed its deadline",
    "TIMEOUT": "ran out of time before it could be requeued; give it more with --slurm signal_delay_s=",
    "OUT_OF_MEMORY": "ran out of memory; give it more with --slurm mem_gb=",
    "NODE_FAIL": "lost its node",
    "BOOT_FAIL": "lost its node",
    "PREEMPTED": "was preempted and not requeued",
    "FAILED": "failed",
    "GONE": "is no longer known to Slurm",
}


def run_local(folder: Path, *, workers: int | None = None) -> int:
    """Runs worker processes, one per GPU or two, until the sweep has nothing left to take, and prints what they say.

    Each gets its share of the cores and, where there are GPUs, one of them. One that is killed (out of memory, say) is
    started again at most twice. Returns how many failed for good; stopped by a signal, it stops them all, which saves
    what they are at, and raises KeyboardInterrupt.
    """
    try:
        return asyncio.run(_pool([*WORKER, str(folder)], workers))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def tethered(cores: Iterable[int] = ()) -> list[str]:
    """The beginning of a command (then a program by its full path) that dies with this process."""
    return [sys.executable, "-c", TETHER, str(os.getpid()), ",".join(map(str, cores))]


def shares(workers: int, *, cores: list[int], gpus: list[str]) -> list[tuple[list[int], dict[str, str]]]:
    """What each worker gets: neighbouring cores, and the variables that show it one GPU."""
    shared = []
    for number in range(workers):
        first, end = (number * len(cores) // workers, (number + 1) * len(cores) // workers)
        share = cores[first:end] or cores[number % len(cores) :][:1]
        shared.append((share, {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}))
    return shared


def visible_gpus() -> list[str]:
    """The GPUs of this machine as CUDA_VISIBLE_DEVICES names them, found without opening any."""
    if os.environ.get("JAX_PLATFORMS") == "cpu":
        return []
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        listed = [name.strip() for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",")]
        return [name for name in listed if name not in ("", "-1", "NoDevFiles")]
    if not shutil.which("nvidia-smi"):
        return []
    listing = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=60).stdout
    return [str(number) for number, _ in enumerate(line for line in listing.splitlines() if line.startswith("GPU "))]


async def _pool(command: list[str], workers: int | None) -> int:
    pool = asyncio.current_task()
    for number in stopping.SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(
                number, lambda number: (stopping.note(number), pool.cancel()), number
            )
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    gpus = visible_gpus()
    shared = shares(workers or len(gpus) or 2, cores=cores, gpus=gpus)
    failed = await asyncio.gather(
        *(_keep(number, [*tethered(share), *command], extra) for number, (share, extra) in enumerate(shared, 1))
    )
    return sum(failed)


async def _keep(number: int, command: list[str], extra: dict[str, str]) -> bool:
    """Runs one worker, again if it is killed. True if it failed for good."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"} | extra
    for left in range(RESTARTS, -1, -1):
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            limit=2**24,
        )  # fmt: skip
        try:
            async for line in process.stdout:
                messages.print(f"[worker {number}] {line.decode(errors='replace').rstrip()}")
            status = await process.wait()
        finally:
            await _stop(process)
        if status == 0:
            return False
        if status > 0:  # An error that it foresaw and named would only come again.
            messages.print(f"worker {number} failed with exit status {status}; its last lines say why", style="red")
            return True
        name = signal.Signals(-status).name
        cause = " (out of memory?)" if -status == signal.SIGKILL else ""
        then = f"start again {RESTARTS - left + 1} of {RESTARTS}" if left else "given up; others can take its run"
        messages.print(f"worker {number} was killed by {name}{cause}; {then}", style="red")
    return True


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        await asyncio.wait_for(process.communicate(), PATIENCE_S)  # To the end of what it says: that closes the pipe.
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@dataclasses.dataclass(frozen=True)
class Worker:
    """A worker as a job of Slurm. Shortly before its time is up, submitit asks for its `checkpoint` and requeues it."""

    folder: str
    requeues: int  # that are left

    def __call__(self) -> None:
        """Works until nothing is left to take."""
        from launch.command import start
        from launch.sweeping import worker

        start.devices()
        worker.work(Path(self.folder))

    def checkpoint(self):
        """What goes on after the requeue: the same, for the run's own checkpoint is in its folder."""
        from submitit.helpers import DelayedSubmission

        if self.requeues < 1:
            # SystemExit: any error of another kind would be taken for the run's, which is fine and can be resumed.
            raise SystemExit("requeued often enough; the same command goes on, or raise --slurm max_requeues=")
        return DelayedSubmission(Worker(self.folder, self.requeues - 1))


def submit(folder: Path, *, workers: int, options: dict[str, Any]) -> list:
    """Submits so many workers as an array job of Slurm; returns its jobs. Their logs are in folder/slurm.

    options: see OPTIONS and DEFAULTS; `setup` holds lines of shell, separated by ";". Raises RuntimeError where there
    is no Slurm or it refuses the job, ValueError for an unknown option or a value of another type.
    """
    missing = [name for name in ("sbatch", "srun") if not shutil.which(name)]
    if missing:
        raise RuntimeError(f"{missing[0]} was not found, so there is no Slurm here; use --launcher local instead")
    import submitit

    options = DEFAULTS | {name: _typed(name, value) for name, value in options.items()}
    requeues = options.pop("max_requeues")
    if "setup" in options:
        options["setup"] = [line.strip() for line in options["setup"].split(";")]
    folder = folder.resolve()
    executor = submitit.AutoExecutor(folder / "slurm", cluster="slurm", slurm_max_num_timeout=requeues)
    named = {name if name in SHARED else f"slurm_{name}": value for name, value in options.items()}
    executor.update_parameters(name=f"sweep-{folder.name}", stderr_to_stdout=True, **named)
    try:
        with executor.batch():
            jobs = [executor.submit(Worker(str(folder), requeues)) for _ in range(workers)]
    except submitit.core.utils.FailedJobError as error:
        raise RuntimeError(f"sbatch refused the job ({str(error).strip()}); correct the --slurm options") from error
    messages.print(f"Slurm job {jobs[0].job_id.split('_')[0]} submitted, workers: {workers}; logs in {folder}/slurm")
    return jobs


def _typed(name: str, value: Any) -> Any:
    if name not in OPTIONS:
        raise ValueError(f"--slurm has no option {name!r}{nearest(name, list(OPTIONS))}")
    try:
        return OPTIONS[name](value)
    except ValueError:
        raise ValueError(f"--slurm {name}={value!r} is no {OPTIONS[name].__name__}") from None


def wait(jobs: list, *, poll_s: float = 30.0) -> int:
    """Waits for submitted jobs, tells how many wait and run, and names each that ended badly with its log.

    Asks every poll_s, more often at first. Returns how many ended badly. The jobs do not need this process: killed, or
    after RuntimeError (Slurm does not answer for SILENCE polls in a row), they go on.
    """
    waiting = {job.job_id: job for job in jobs}
    failed = silent = 0
    printed, begun, last = "", time.monotonic(), {}
    while waiting:
        states = job_states(list(waiting))
        silent = silent + 1 if states is None else 0
        if silent >= SILENCE:
            raise RuntimeError(
                f"squeue has not answered {SILENCE} times in a row; the jobs go on, and so does the same command later"
            )
        for job_id, state in (states or {}).items():
            # A job that is requeued passes for ended badly for a moment: that is believed when it is said twice.
            if state in ENDS and (state == "COMPLETED" or last.get(job_id) == state):
                failed += _ended(waiting.pop(job_id), state)
        last = states or last
        going = [states[job_id] for job_id in waiting if states[job_id] not in ENDS] if states else []
        counts = collections.Counter(going)
        tally = ", ".join(f"{count} {state.lower()}" for state, count in sorted(counts.items()))
        if tally and tally != printed:
            printed = tally
            messages.print(f"Slurm: {tally}")
        if waiting:
            # A short job is answered soon, and Slurm is not asked often about a long one.
            time.sleep(min(poll_s, 1 + (time.monotonic() - begun) / 10))
    return failed


def job_states(ids: list[str]) -> dict[str, str] | None:
    """The state of each job by its id ("12_0"), GONE if Slurm has forgotten it; None if Slurm does not answer.

    squeue knows of jobs that ended some minutes ago; of older ones sacct does, where the cluster keeps accounts.
    """
    arrays = ",".join(sorted({job_id.split("_")[0] for job_id in ids}))
    answer = _ask("squeue", "--noheader", "--array", "--states=all", "--format=%i|%T", f"--jobs={arrays}")
    if answer is None:
        return None
    if any(job_id not in answer for job_id in ids):
        accounts = _ask("sacct", "-X", "--noheader", "--parsable2", "--format=JobID,State", f"--jobs={arrays}")
        answer = (accounts or {}) | answer
    return {job_id: answer.get(job_id, "GONE") for job_id in ids}


def _ask(*command: str) -> dict[str, str] | None:
    """{job: state} as Slurm prints it, None if it can't be asked."""
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if asked.returncode and "Invalid job id" not in asked.stderr:
        return None
    pairs = [line.split("|") for line in asked.stdout.splitlines() if "|" in line]
    return {job_id.strip(): state.split()[0] for job_id, state in pairs}  # sacct says "CANCELLED by 1000"


def _ended(job: Any, state: str) -> bool:
    """Reports a job that ended badly; True if it did."""
    # A result is left by a worker that came to its end; where no accounts are kept, that is all there is to know.
    if state == "COMPLETED" or (state == "GONE" and job.paths.result_pickle.exists()):
        return False
    log = job.paths.stdout
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    words = [line.strip() for line in lines if line.strip() and not line.startswith(CHATTER)]
    last = f' ("{words[-1][:200]}")' if words else ""
    messages.print(f"worker {job.job_id} {ENDS[state]}{last}; its log: {log}", style="red")
    return True
