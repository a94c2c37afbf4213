"""A folder of images is timed end to end beside the compiled call."""

import pytest

from launch.benchmarks import folder
from tests.tiny import config as tiny_config


@pytest.mark.drill
def test_a_folder_is_timed_beside_the_call(monkeypatch):
    monkeypatch.setattr(folder.configuration, "get", lambda name, preset: tiny_config(name))
    which = [("renet_d", "paper"), ("segdec", "small"), ("padim", "small")]
    result = folder.bench_folder(turns=1, count=3, size=(64, 80), detectors=which)
    two = "two stages: sbad small, segdec small"
    assert list(result["ms"]) == ["renet_d paper", "segdec small", "padim small", two]
    for ms in result["ms"].values():
        assert min(ms.values()) > 0
    text = folder.as_section(result, machine="a machine", command="a command")
    assert "| renet_d paper |" in text and f"| {two} |" in text and "64 x 80" in text
