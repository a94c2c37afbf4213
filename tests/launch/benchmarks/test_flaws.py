"""Flaws are timed beside the step they are for, and detection beside that of the published network."""

import pytest

from launch import bench
from launch.benchmarks import flaws
from tests.tiny import config as tiny_config


@pytest.mark.drill
def test_flaws_and_detection_are_timed(tmp_path, monkeypatch):
    monkeypatch.setattr(flaws.configuration, "get", lambda name, preset: tiny_config(name))
    monkeypatch.setattr(flaws, "KINDS", ("spot",))
    result = bench.main(["--flaws", "--turns", "1", "--side", "48", "--page", str(tmp_path / "page.md")])
    assert set(result["ms"]) == {"none", "its flaws", "spot", "step"} and min(result["ms"].values()) > 0
    assert set(result["detection_ms"]) == {"nsa small", "renet_d paper", "renet_d tuned"}
    text = (tmp_path / "page.md").read_text()
    assert "| spot |" in text and "| nsa small |" in text and "48 x 48" in text
