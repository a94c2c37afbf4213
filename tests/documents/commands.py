"""Runs `python -m MODULE ...` in processes that need not import JAX again: a server has, and forks one for each."""

import contextlib
import multiprocessing
import os
import runpy
import sys
import traceback
from pathlib import Path

MODULES = ["launch.train", "launch.sweep", "launch.two_stage", "launch.bench", "launch.tabulate", "tensorflow"]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(MODULES)


def run(words: list[str], *, cwd: Path, output: Path) -> tuple[int, str]:
    """(exit status, what was printed) of `python -m WORDS` in a folder; printed is kept in the file `output`."""
    process = FORKS.Process(target=_main, args=(words, str(cwd), str(output)))
    process.start()
    process.join()
    return process.exitcode, output.read_text()


def _main(words: list[str], cwd: str, output: str) -> None:
    os.chdir(cwd)
    with open(output, "w") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    sys.argv = words
    sys.path.insert(0, cwd)
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None
    finally:
        with contextlib.suppress(ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
