"""How every command starts: quiet libraries, the compilation cache, the cluster if there is one, errors in one line."""

import contextlib
import errno
import functools
import gc
import hashlib
import io
import logging
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from launch.command import console, stopping
from launch.command.parser import spoken

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


def run(main: Callable[[list[str]], object], argv: Sequence[str]) -> None:
    """Runs a command; a foreseen error is one red line and exit status 1, unless JAXDEFECT_TRACEBACK is set.

    Stopped by a signal, see `stopping`, it ends with 128 + the signal's number.
    """
    collect_seldom()
    for library in ("absl", "asyncio"):  # What Orbax logs as an error comes as an exception, too, and is told by us.
        logging.getLogger(library).disabled = True  # absl sets its level when it is imported.
    sys.unraisablehook, threading.excepthook = unraisable, in_thread
    warnings.showwarning = warn
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # One that cannot show a name shows it escaped.
            stream.reconfigure(errors="backslashreplace")
    try:
        with stopping.handled(), console.heartbeat():
            main(list(argv))
    except KeyboardInterrupt as stopped:
        number = stopping.signalled()
        done = f": {stopped}" if str(stopped) else ""
        console.messages.print(f"stopped by {signal.Signals(number).name}{done}; the same command goes on")
        sys.exit(128 + number)
    except (ValueError, OSError, RuntimeError) as error:
        if os.environ.get("JAXDEFECT_TRACEBACK"):
            raise
        console.messages.print("error:", spoken(str(error)), style="red")
        sys.exit(1)


def warn(message: Warning | str, *about: object) -> None:
    """Says a warning in one line. A damaged entry of the compilation cache is none: it goes, and is made again.

    JAX tells the name of the program, with which the names of its entries begin, and would never replace one. That
    entries cannot be written is said once.
    """
    del about
    if str(message).startswith("Error writing persistent compilation cache entry"):
        import jax

        from jaxdefect.training.checkpoint import FULL

        _not_kept(str(jax.config.jax_compilation_cache_dir), FULL.search(str(message)) is not None)
        return
    damaged = re.match(r"Error reading persistent compilation cache entry for '(\w+)'", str(message))
    if not damaged:
        console.warn(str(message))
        return
    import jax

    for entry in Path(jax.config.jax_compilation_cache_dir or "").glob(f"{damaged[1]}-*-cache"):
        with contextlib.suppress(OSError):
            entry.unlink()


@functools.cache
def _not_kept(folder: str, full: bool) -> None:
    why = "the disk is full" if full else "it cannot be written in"
    console.warn(f"{folder}: {why}, so that compiled programs are not kept and every start takes longer; free space "
                 "there, or give a folder elsewhere by JAX_COMPILATION_CACHE_DIR=FOLDER")  # fmt: skip


def unraisable(told: Any) -> None:
    """Shows an error that nobody can catch. Not that of a callback for a write that had failed before and was told."""
    if "Event loop is closed" not in str(told.exc_value):
        sys.__unraisablehook__(told)


def in_thread(told: threading.ExceptHookArgs) -> None:
    """Shows an error that ended a thread. Not a full disk in TensorBoard's, which the next file of ours tells."""
    thread = type(told.thread).__module__ if told.thread else ""
    full = getattr(told.exc_value, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    if not (full and thread.startswith("tensorboardX")):
        threading.__excepthook__(told)


def collect_seldom() -> None:
    """Garbage is collected after 50,000 new objects, not 700: importing and tracing leave little of it, and each
    collection looks at what they keep. A tenth of a start, and of the tests' time.
    """
    gc.set_threshold(50_000, 20, 20)


def use_all_cores() -> None:
    """Keeps XLA from computing each convolution on one core. Called before JAX is used.

    Its CPU library for fused operations does; without it training is 1.3 times and scoring 2 times as fast on 2 cores.
    """
    xla_flags("--xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_DOT")


def xla_flags(*flags: str) -> None:
    """Gives XLA those flags that the user has not set. Called before JAX is used.

    They are those of one release, and a flag that a release does not know ends the process.
    """
    given = os.environ.get("XLA_FLAGS", "")
    if version("jaxlib").startswith("0.10."):
        new = [flag for flag in flags if flag.split("=")[0] not in given]
        os.environ["XLA_FLAGS"] = " ".join([given, *new]).strip()


def devices() -> None:
    """Joins the cluster, turns on the compilation cache and all cores. Called before JAX is used.

    The cache is that of $JAX_COMPILATION_CACHE_DIR, or a folder of this project's own.
    """
    use_all_cores()
    import jax

    from data_pipeline.load import default_cache
    from jaxdefect import parallel

    parallel.join_cluster()
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        cache = default_cache() / "compiled" / _machine()  # Trusted code: one folder per user, as all of the cache.
        jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def is_main() -> bool:
    """True in the one process that writes files."""
    from jaxdefect import parallel

    return parallel.is_main()


def _machine() -> str:
    # Compiled code of one processor may be illegal on another that shares the home folder.
    flags = [
        line for line in _read("/proc/cpuinfo").splitlines() if line.startswith(("flags", "Features", "model name"))
    ]
    return hashlib.sha256("\n".join([version("jax"), *flags[:2]]).encode()).hexdigest()[:12]


def _read(path: str) -> str:
    return Path(path).read_text() if Path(path).is_file() else ""
