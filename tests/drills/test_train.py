"""Runs that are killed, and runs of several processes."""

import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from launch import train
from launch.run.trained import load_run
from tests.contract.steps import apart
from tests.launch.small_runs import SMALL, history_of

pytestmark = pytest.mark.drill


def start(arguments, **env):
    command = [sys.executable, "-m", "launch.train", *arguments]
    return subprocess.Popen(command, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def state_of(workdir):
    return load_run(workdir).state


def test_a_killed_run_resumes_bit_for_bit(tmp_path):
    long = [*SMALL, "train.steps=400", "train.save_every=20"]
    train.main([*long, "--workdir", str(tmp_path / "unbroken")])
    process = start([*long, "--workdir", str(tmp_path / "killed")])
    history = tmp_path / "killed" / "history.jsonl"
    deadline = time.monotonic() + 120
    while not any(line["step"] >= 60 for line in history_of(history.parent)) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    reached = history_of(history.parent)[-1]["step"]
    assert 60 <= reached < 400, "the run was killed too early or too late to prove anything"
    assert not (tmp_path / "killed" / "result.json").exists()
    train.main([*long, "--workdir", str(tmp_path / "killed")])
    for a, b in zip(*map(leaves, (tmp_path / "unbroken", tmp_path / "killed")), strict=True):
        np.testing.assert_array_equal(a, b)
    strip = lambda lines: [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
    both = [strip(history_of(tmp_path / name)) for name in ("unbroken", "killed")]
    assert both[0] == both[1]


def leaves(workdir):
    import jax

    return jax.tree.leaves(state_of(workdir))


def test_two_processes_train_one_run(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}", "JAX_NUM_PROCESSES": "2", "JAX_PLATFORMS": "cpu"}
    for feed in ("in_memory", "stream"):
        arguments = [*SMALL, "train.steps=5", "train.save_every=5", f"train.feed={feed}", "--workdir"]
        both = [start([*arguments, str(tmp_path / f"two {feed}")], **together, JAX_PROCESS_ID=str(i)) for i in (0, 1)]
        said = [process.communicate(timeout=300)[0] for process in both]
        assert all(process.returncode == 0 for process in both), said
        train.main([*arguments, str(tmp_path / f"one {feed}")])
        one, two = (tmp_path / f"one {feed}", tmp_path / f"two {feed}")
        losses = [[line["loss"] for line in history_of(run)] for run in (one, two)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)
        assert apart(state_of(one), state_of(two)) < 1e-3  # They have moved by some hundredths.
