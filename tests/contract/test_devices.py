"""Every detector: eight devices leave the state that one leaves. Numbers of one, as a drill of all; that a step leaves
one state on all devices is traced for all in test_population.py."""

import functools
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from jaxdefect.detector import no_training
from tests.contract.steps import CASES, DEVICES, DRIFTING, apart, first_state, fit, on_fake_devices, tiny, weights

LEARNING = [name for name in CASES if tiny(name)[0].step is not no_training]
NUMBERS = "ssim_ae"  # compiles quickly
OTHERS = [name for name in LEARNING if name != NUMBERS]
eight_devices = pytest.mark.xdist_group("eight devices")


@functools.cache
def on_eight_devices(names, *words):
    """The state of each detector after a step on eight fake devices, trained by one process.

    One step: rounding grows a thousandfold in the next, through deep normalised networks and Adam's division.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.contract.steps", "1", folder, *names, *words]
        subprocess.run(command, env=on_fake_devices(DEVICES), check=True)
        return {path.stem: dict(np.load(path)) for path in Path(folder).glob("*.npz")}


def eight_leave_what_one_leaves(name, eight):
    start, alone = weights(first_state(name)), weights(fit(name, 1).state)
    assert apart(alone, eight) < 0.01 * apart(alone, start)
    for leaf in (leaf for leaf in alone if ".params" not in leaf):  # Statistics, moments, averages, a memory.
        moved = np.abs(alone[leaf] - start[leaf].astype(alone[leaf].dtype)).mean()
        assert np.abs(alone[leaf] - eight[leaf]).mean() <= 0.05 * moved + 1e-6, leaf


@eight_devices
def test_devices_agree_on_the_state():
    eight_leave_what_one_leaves(NUMBERS, on_eight_devices((NUMBERS,))[NUMBERS])


@eight_devices
@pytest.mark.drill
@pytest.mark.parametrize("name", OTHERS)
def test_devices_agree_on_the_state_of_others(name):
    eight_leave_what_one_leaves(name, on_eight_devices(tuple(OTHERS))[name])


@eight_devices
@pytest.mark.drill
@pytest.mark.parametrize("name", DRIFTING)
def test_without_the_average_over_devices_they_drift_apart(name):
    """The same comparison must fail then, or it proves nothing."""
    drifted = on_eight_devices(DRIFTING, "drift")[name]
    start, alone = weights(first_state(name)), weights(fit(name, 1).state)
    assert apart(alone, drifted) > 0.05 * apart(alone, start)
