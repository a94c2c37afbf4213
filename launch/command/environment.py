"""When, by which code, and on which machine, for every result."""

import datetime
import functools
import subprocess
from pathlib import Path
from typing import Any

import jax


def environment() -> dict[str, Any]:
    """Date (ISO, UTC), commit, versions and hardware, for result.json."""
    now = datetime.datetime.now(datetime.UTC)
    return {"date": now.isoformat(timespec="seconds"), "commit": commit(), **_machine()}


@functools.cache
def commit() -> str | None:
    """The commit of this code, "-dirty" where files were changed since; None where it is no git checkout."""
    git = ["git", "-C", str(Path(__file__).parent)]
    known = [*git, "ls-files", "--error-unmatch", Path(__file__).name]  # Another repository may hold an installed copy.
    try:
        if subprocess.run(known, capture_output=True, timeout=10).returncode:
            return None
        said = subprocess.run([*git, "describe", "--always", "--dirty", "--exclude=*"], capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout.decode().strip() or None


@functools.cache
def _machine() -> dict[str, Any]:
    import os
    import platform
    from importlib.metadata import version

    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "dm-pix", "numpy", "jaxdefect")
    device = jax.devices()[0]
    return {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "hardware": {
            "platform": device.platform, "device": device.device_kind, "devices": jax.device_count(),
            "processes": jax.process_count(), "cpu_cores": os.cpu_count(), "machine": platform.machine(),
        },
    }  # fmt: skip
