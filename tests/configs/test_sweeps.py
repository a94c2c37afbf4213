"""Every sweep of the house expands into runs that can be run."""

import pytest

from configs.sweeps import QUICK
from launch import sweep
from launch.sweeping import spec
from tests.drilled import drilled

MANY = ("unseen_pairs", "named_pairs")  # runs: seconds


@pytest.mark.parametrize("name", [*(name for name in spec.names() if name not in MANY), *drilled(*MANY)])
def test_every_sweep_of_the_house_can_be_run(name):
    for quick in (False, True):
        found = spec.read(name, quick=quick, weights="random")
        sweep.check(found)
        assert found.runs and found.title and found.about and f"launch.sweep {name}" not in found.about
        assert all(isinstance(value, float) for row in found.paper for value in row["figures"].values())
        labels = {axis.name: axis.labels for axis in found.axes}
        for row in found.paper:  # A published value names axes of the sweep, or says why it has no run.
            known = all(label in labels.get(axis, (label,)) for axis, label in row["at"].items())
            assert known or found.why
    on_features = found.runs[0].config.train.supervision == "surfaces"  # Steps of a hundredth of a second.
    assert on_features or all(run.config.train.steps <= QUICK["train.steps"] for run in found.runs)


@pytest.mark.parametrize("name", ["sbad_tables", "segdec_table6", "segdec_masks", *drilled(*MANY)])
def test_the_sweeps_of_the_two_stages_expand(name):
    found = spec.read(name, quick=name not in MANY, weights="random")
    runs = {"sbad_tables": 42, "unseen_pairs": 270, "named_pairs": 90, "segdec_table6": 3, "segdec_masks": 15}
    assert len(found.runs) == runs[name]
