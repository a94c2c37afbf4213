"""What is trained once for several runs, and what anew."""

import numpy as np
import pytest

from launch.command import configuration as configs
from launch.sweeping import results, sharing, spec
from tests.drilled import drilled
from tests.launch.sweeping.small_sweeps import run_sweep, write
from tests.tiny import config as tiny_config


@pytest.mark.drill
def test_what_only_scoring_reads_is_not_trained_twice(tmp_path):
    path = write(
        tmp_path,
        ("AXES = (", 'AXES = ({"settings.box": (3, 9)}, {"threshold.pixel_rule": ("pauta", "quantile")},'),
        ("SEEDS = (0, 1)", "SEEDS = (0,)"),
        ('"settings.alpha": (0.0, 0.5)', '"settings.alpha": (0.5,)'),
    )
    run_sweep(path, tmp_path / "s")
    found = results.collect(tmp_path / "s")["rows"]
    first = found[0]["name"]
    assert [row["shared_with"] for row in found] == [None, first, first, first]
    alone = run_sweep(path, tmp_path / "alone", "--axis", "settings.box=9", "threshold.pixel_rule=quantile",
                      "settings.alpha=0.5").parent  # fmt: skip
    assert results.collect(alone)["rows"][0]["figures"] == found[3]["figures"]


def test_what_a_training_step_reads_is_trained_anew():
    config = spec.read("table4", quick=True).runs[0].config
    for field, same in (("settings.box", True), ("settings.residual", True), ("settings.losses", False)):
        other = config.copy_and_resolve_references()
        value = {"settings.box": 9, "settings.residual": "absolute", "settings.losses": ("mse", "ssim")}[field]
        configs.assign(other, {field: value})
        assert sharing.same_training(config, other) == same, field


@pytest.mark.parametrize("detector", ["segdec", *drilled("sbad")])
def test_runs_with_labels_are_compared_by_what_their_steps_compute(detector):
    one, other = (tiny_config(detector) for _ in range(2))
    other.threshold.sigma = 2.0
    assert sharing.same_training(one, other)
    other.settings.update({"dilate": 5} if detector == "segdec" else {"embedding": "real"})
    assert not sharing.same_training(one, other)


def test_a_feed_of_unseen_surfaces_is_no_feed_without_them():
    opened, shown = sharing.Opened(), {}
    for show in (False, True):
        config = tiny_config("sbad")
        small = ["settings.mode=A", "settings.backbone_steps=0", "data.per_surface=4"]
        configs.override(config, [*small, f"data.show_unseen={show}"])
        inputs = opened.feed(config, opened.data(config)).inputs(0)
        shown[show] = set(np.asarray(inputs["surface"])[np.asarray(inputs["label"]) == 1].tolist())
    assert not shown[False] and len(shown[True]) == 2
