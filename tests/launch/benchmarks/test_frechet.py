"""The Frechet distance is timed beside the matrix root."""

from types import SimpleNamespace

import pytest

from launch import bench
from launch.benchmarks import frechet
from tests.tiny import config as tiny_config


@pytest.mark.drill
def test_the_distance_is_timed_beside_the_matrix_root(tmp_path, monkeypatch):
    monkeypatch.setattr(frechet, "CASES", {"64 x 64, preset small": (20, 30)})
    monkeypatch.setattr(frechet, "configuration", SimpleNamespace(get=lambda name, preset: tiny_config(name)))
    page = tmp_path / "page.md"
    result = bench.main(["--frechet", "--preset", "small", "--detector", "maa", "--turns", "1", "--page", str(page)])
    forms = result["distance"]["64 x 64, preset small"]
    assert forms["ours, singular values"]["error"] < 1e-5 and all(form["ms"] > 0 for form in forms.values())
    assert forms["eigenvalues of S1^1/2 S2 S1^1/2"]["error"] > forms["ours, singular values"]["error"]
    text = page.read_text()
    assert "| 64 x 64, preset small [20, 30] |" in text and "Scoring with MAA, preset small" in text
