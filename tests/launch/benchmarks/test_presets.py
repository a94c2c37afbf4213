"""Detectors are measured as their presets are published; what is wrong with one is said, and the others go on."""

import os

import numpy as np
import pytest
from ml_collections import ConfigDict

from launch.benchmarks import presets
from launch.command import configuration
from launch.run.trained import make_detector
from tests import tiny


def test_every_detector_is_measured_as_published_or_at_its_default(monkeypatch):
    found = presets.cases("paper")
    assert {name for name, _ in found} == set(presets.jaxdefect.names())
    assert ("segdec", "ksdd2") in found and ("sbad", "tf_vaegan_paper") in found and ("nsa", "small") not in found
    monkeypatch.setattr(presets.choices, "presets", lambda name: ["quick", "fine"])  # a detector of no paper
    assert ("dct", "quick") in presets.cases("paper") and presets.cases("small") == []


def test_figures_of_one_and_what_is_wrong_with_others():
    def get(name: str, preset: str) -> ConfigDict:
        if preset == "wrong":
            raise OSError("the disk | is gone\nand more")
        return tiny.config(name)

    shown = []
    which = [("dct", "wrong"), ("dct", "paper")]
    keep = lambda result: shown.append(presets.as_section(result, machine="a machine", command="a command"))
    result = presets.bench_presets("paper", steps=1, turns=1, which=which, get=get, each=keep)
    assert len(shown) == 2 and result["missing"] == {"dct wrong": "OSError: the disk | is gone"}
    assert result["rows"]["dct paper"]["score_s"] > 0 and result["rows"]["dct paper"]["score_mb"] > 0
    assert "| dct paper | no steps |" in shown[1] and "- dct wrong: OSError: the disk" in shown[1]
    with pytest.raises(ValueError, match="no detector has a preset 'huge'"):
        presets.bench_presets("huge", steps=1, turns=1)


@pytest.mark.parametrize(
    ("name", "preset", "shape", "fields"),
    [("segdec", "ksdd2", (1, 640, 232, 3), {"image", "mask", "label", "has_mask"}),
     ("maa", "paper", (32, 256, 256, 1), {"image", "paired_image"}),
     ("renet_d", "paper", (256, 32, 32, 1), {"image"})],
)  # fmt: skip
def test_a_batch_has_the_published_shape_and_what_supervision_adds(name, preset, shape, fields):
    config = configuration.get(name, preset)
    if config.data.channels == "auto":
        configuration.assign(config, {"data.channels": 1})
    source = presets.one_batch(config, make_detector(config)[0])
    batch = source.make_batch(source.inputs(0), np.arange(config.train.batch))
    assert batch.image.shape == shape and 0 <= float(batch.image.min()) < float(batch.image.max()) <= 1
    assert {field for field, value in batch._asdict().items() if value is not None} == fields


def test_a_step_that_takes_too_long_is_left_out_with_the_figure(monkeypatch):
    monkeypatch.setattr(presets, "LONGEST", 0.0)
    get = lambda name, preset: tiny.config(name)
    result = presets.bench_presets("paper", steps=1, turns=1, which=[("dae", "paper")], get=get)
    assert "TFLOP takes more than" in result["missing"]["dae paper"]
    row = result["rows"]["dae paper"]
    assert row["flops"] > 0 and "step_s" not in row and "score_s" not in row
    assert "| dae paper | " in presets.as_section(result, machine="a machine", command="a command")


def test_a_step_that_does_not_fit_into_memory_is_left_out_with_the_figure(monkeypatch):
    monkeypatch.setattr(presets.parallel, "free_memory", lambda: 2e9)
    plan = type("Plan", (), {"argument_size_in_bytes": 1e9, "output_size_in_bytes": 1e9, "temp_size_in_bytes": 2e9,
                             "alias_size_in_bytes": 5e8})  # fmt: skip
    with pytest.raises(ValueError, match=r"one step needs 3\.5 GB, and 1\.4 GB may be used here"):
        presets._planned(type("Compiled", (), {"memory_analysis": lambda self: plan})(), "step")


@pytest.mark.drill
@pytest.mark.skipif("JAXDEFECT_PAPER" not in os.environ, reason="up to minutes each on a CPU: set JAXDEFECT_PAPER=1")
@pytest.mark.parametrize(("name", "preset"), presets.cases("paper"))
def test_a_published_preset_trains_and_scores_or_is_too_much_for_this_machine(name, preset, monkeypatch):
    monkeypatch.setattr(presets, "LONGEST", 20.0)  # seconds a step at the speed of a product of matrices
    result = presets.bench_presets("paper", steps=1, turns=1, which=[(name, preset)])
    wrong = result["missing"].get(f"{name} {preset}", "")
    assert not wrong or "takes more than" in wrong or "may be used here" in wrong, wrong
    print(result["rows"])
