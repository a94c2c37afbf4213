"""The two stages are timed apart and together."""

import pytest

from launch.benchmarks import two_stage


@pytest.mark.drill
def test_the_two_stages_are_timed_apart_and_together(monkeypatch, backbones_are_drawn_quickly):
    monkeypatch.setattr(two_stage, "LAYERS", {"small": ((1, 16, 16, 4), 8)})
    result = two_stage.bench_two_stage(turns=1, systems={"small": ("small", 64)})
    (row,) = result["systems"].values()
    assert all(row[name] > 0 for name in ("surface_ms", "defect_ms", "whole_ms", "fps"))
    text = two_stage.as_section(result, machine="here", command="that")
    assert "| small: [1, 16, 16, 4], 15 x 15 to 8 |" in text and "| small, 512 x 512 |" in text
