"""Signals to real processes: they save, say so within ten seconds, and the same command ends as if nothing had been."""

import os
import signal
import subprocess
import sys
import time

import pytest

from launch import train
from tests.launch.small_runs import SMALL, history_of
from tests.launch.sweeping.small_sweeps import table

pytestmark = pytest.mark.drill

LONG = [*SMALL, "train.batch=32", "train.steps=400", "train.save_every=200"]  # seconds: stopped in between
WITHIN = 10  # seconds


def started(*words):
    command = [sys.executable, "-m", *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=heeding_signals
    )


def heeding_signals():
    """What nohup, or a shell that starts these tests behind it, has every child ignore, and a command then does."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def stopped(process, number, *, again_after=None):
    """(exit status, what was said, seconds) of a process that gets a signal, and the same once more."""
    sent = time.monotonic()
    process.send_signal(number)
    if again_after is not None:
        time.sleep(again_after)
        process.send_signal(number)
    said = process.communicate(timeout=60)[0]
    return process.returncode, said, time.monotonic() - sent


def until(ready, process, seconds=240):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end and process.poll() is None, "it did not come to that"
        time.sleep(0.02)


def logged(run, steps):
    return lambda: len(history_of(run)) >= steps


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    run = tmp_path_factory.mktemp("unbroken") / "run"
    train.main([*LONG, "--workdir", str(run)])
    return run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_stopped_training_goes_on_to_the_same_history(number, unbroken, tmp_path):
    words = ["launch.train", *LONG, "--workdir", str(tmp_path / "run")]
    process = started(*words)
    until(logged(tmp_path / "run", 5), process)
    status, said, seconds = stopped(process, number)
    assert status == 128 + number and seconds < WITHIN
    assert f"stopped by {number.name}: step " in said and "is saved; the same command goes on" in said
    assert "Traceback" not in said and list((tmp_path / "run" / "checkpoints").glob("[1-9]*"))
    train.main(words[1:])
    strip = lambda run: [{k: v for k, v in line.items() if k != "seconds"} for line in history_of(run)]
    assert strip(tmp_path / "run") == strip(unbroken)
    assert (tmp_path / "run" / "predictions.csv").read_bytes() == (unbroken / "predictions.csv").read_bytes()


def test_ctrl_c_twice_and_while_importing_leaves_no_traceback(tmp_path):
    words = ["launch.train", *LONG, "--workdir", str(tmp_path / "run")]
    process = started(*words)
    until(logged(tmp_path / "run", 1), process)
    status, said, _ = stopped(process, signal.SIGINT, again_after=0.05)
    assert status == 130 and "Traceback" not in said and "stopped by SIGINT" in said
    for moment in (0.5, 1.0, 2.0):
        process = started(*words)
        time.sleep(moment)
        status, said, seconds = stopped(process, signal.SIGINT)
        assert "Traceback" not in said and status in (130, -signal.SIGINT) and seconds < WITHIN


def test_a_stopped_evaluation_leaves_nothing_behind(unbroken, tmp_path):
    subprocess.run(["cp", "-r", str(unbroken), str(tmp_path / "run")], check=True)
    before = (tmp_path / "run" / "result.json").read_bytes()
    process = started("launch.evaluate", str(tmp_path / "run"))
    until(lambda: list((tmp_path / "run").glob(".maps.*")), process)
    status, said, seconds = stopped(process, signal.SIGTERM)
    assert status == 143 and seconds < WITHIN and "stopped by SIGTERM" in said
    assert not list((tmp_path / "run").glob(".maps.*")) and (tmp_path / "run" / "result.json").read_bytes() == before


@pytest.mark.parametrize("launcher", ["here", "local"])
def test_a_stopped_sweep_saves_the_run_in_hand_and_goes_on(launcher, finished, tmp_path):
    path, whole = finished
    words = ["launch.sweep", path, "--workdir", str(tmp_path / "s"), "--launcher", launcher]
    process = started(*words)
    until(lambda: any(history_of(run) for run in (tmp_path / "s").glob("runs/*")), process)
    status, said, seconds = stopped(process, signal.SIGTERM)
    assert status == 143 and seconds < WITHIN + 3 and "stopped by SIGTERM" in said and "Traceback" not in said
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    if launcher == "local":  # Workers share the cores out, and on fewer cores the last bits are others.
        whole = tmp_path / "whole"
        subprocess.run([sys.executable, "-m", *words[:3], str(whole), *words[4:]], check=True, capture_output=True)
    assert table(tmp_path / "s") == table(whole)
