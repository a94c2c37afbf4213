"""A throw-away Slurm of one node on loopback, for trying the cluster path on one machine.

    python -m tests.drills.slurm.throwaway      # prints the SLURM_CONF to export, stops with Ctrl-C

It has a folder, munge key, socket and ports of its own, so that several can run at once and none touches a Slurm that
is installed. It needs root and the packages: apt-get install --no-install-recommends slurm-wlm munge
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from launch.sweeping.cluster import tethered

DAEMONS = ("munged", "slurmctld", "slurmd")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"  # Where the daemons are, but seldom on a user's path.


def missing() -> str:
    """Why no Slurm can be started here, or nothing."""
    absent = [name for name in (*DAEMONS, "sbatch") if not shutil.which(name, path=PATH)]
    if absent:
        return f"{', '.join(absent)} not found: apt-get install --no-install-recommends slurm-wlm munge"
    return "" if os.geteuid() == 0 else "the throw-away Slurm is started as root only"


@contextlib.contextmanager
def running() -> Iterator[Path]:
    """Boots the cluster (a second), yields its slurm.conf, cancels its jobs and stops it.

    The daemons are tethered: they die with this process, however it ends. Raises RuntimeError if it does not come up.
    """
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # Short: the path of a socket has at most 107 characters.
    folder.chmod(0o755)
    conf = configure(folder)
    environment = os.environ | {"PATH": PATH, "SLURM_CONF": str(conf)}
    munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "log", "pid", "seed")]
    commands = [
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *munge],
        ["slurmctld", "-D", "-f", str(conf)],
        ["slurmd", "-D", "-f", str(conf), "-N", "localhost"],
    ]
    daemons = []
    try:
        for command in commands:
            program = shutil.which(command[0], path=PATH)
            with open(folder / f"{command[0]}.log", "w") as log:
                daemons.append(
                    subprocess.Popen([*tethered(), program, *command[1:]], env=environment, stdout=log, stderr=log)
                )
            if command[0] == "munged":
                wait_for(lambda: (folder / "munge.socket").exists(), folder)
        wait_for(lambda: answers(["srun", "--quiet", "true"], environment), folder)
        yield conf
    finally:
        answers(["scancel", "--full", "--user=root"], environment)
        answers(["scancel", "--signal=KILL", "--user=root"], environment)
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(5)
            daemon.kill()
            daemon.wait()
        shutil.rmtree(folder, ignore_errors=True)


def configure(folder: Path) -> Path:
    """Writes the munge key, slurm.conf and gres.conf (two GPUs in name only)."""
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        values = {"CONTROLLER_PORT": one.getsockname()[1], "NODE_PORT": other.getsockname()[1]}
    values |= {"HOST": socket.gethostname().split(".")[0], "FOLDER": folder, "FIRST_JOB": random.randrange(1, 60000)}
    text = (Path(__file__).parent / "slurm.conf").read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    (folder / "slurm.conf").write_text(text)
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n")
    return folder / "slurm.conf"


def answers(command: list[str], environment: dict[str, str]) -> bool:
    """True if a command of Slurm ends well within 10 s."""
    with contextlib.suppress(subprocess.TimeoutExpired, FileNotFoundError):
        return subprocess.run(command, env=environment, capture_output=True, timeout=10).returncode == 0
    return False


def wait_for(ready, folder: Path, *, seconds: float = 30) -> None:
    """Returns when ready() is true; raises RuntimeError with the last words of the daemons after so many seconds."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            logs = "\n".join(f"{log.name}: {log.read_text()[-500:]}" for log in sorted(folder.glob("*.log")))
            raise RuntimeError(f"the throw-away Slurm did not come up within {seconds} s\n{logs}")
        time.sleep(0.1)


if __name__ == "__main__":
    if missing():
        sys.exit(missing())
    signal.signal(signal.SIGTERM, lambda *about: sys.exit())
    with running() as path, contextlib.suppress(KeyboardInterrupt):
        print(f"export SLURM_CONF={path}", flush=True)
        signal.pause()
