"""Every detector: eight devices leave the state that one leaves. One process trains them all on eight fake devices."""

import subprocess
import sys

import numpy as np
import pytest

from jaxdefect.detector import no_training
from tests.contract.steps import CASES, apart, first_state, fit, on_fake_devices, tiny, weights

pytestmark = pytest.mark.xdist_group("eight devices")
LEARNING = [name for name in CASES if tiny(name)[0].step is not no_training]
CONTROL = ("renet_d", "maa", "segdec")  # one player, several with a memory, labels: the comparison itself is tested


@pytest.fixture(scope="module")
def on_eight_devices(tmp_path_factory):
    """(the state after a step on 8 devices, the same without the average over devices), each {detector: state}.

    One step: rounding grows a thousandfold in the next, through deep normalised networks and Adam's division.
    """
    folders = [tmp_path_factory.mktemp(part) for part in ("devices", "drift")]
    commands = [[*LEARNING], [*CONTROL, "drift"]]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.contract.steps", "1", str(folder), *words], env=on_fake_devices(8)
        )
        for folder, words in zip(folders, commands, strict=True)
    ]
    assert [process.wait() for process in started] == [0, 0]
    return [{path.stem: dict(np.load(path)) for path in folder.glob("*.npz")} for folder in folders]


@pytest.mark.parametrize("name", LEARNING)
def test_devices_agree_on_the_state(name, on_eight_devices):
    eight = on_eight_devices[0][name]
    start, alone = weights(first_state(name)), weights(fit(name, 1).state)
    assert apart(alone, eight) < 0.01 * apart(alone, start)
    for leaf in (leaf for leaf in alone if ".params" not in leaf):  # Statistics, moments, averages, a memory.
        moved = np.abs(alone[leaf] - start[leaf].astype(alone[leaf].dtype)).mean()
        assert np.abs(alone[leaf] - eight[leaf]).mean() <= 0.05 * moved + 1e-6, leaf


@pytest.mark.parametrize("name", CONTROL)
def test_without_the_average_over_devices_they_drift_apart(name, on_eight_devices):
    """The same comparison must fail then, or it proves nothing."""
    drifted = on_eight_devices[1][name]
    start, alone = weights(first_state(name)), weights(fit(name, 1).state)
    assert apart(alone, drifted) > 0.05 * apart(alone, start)
