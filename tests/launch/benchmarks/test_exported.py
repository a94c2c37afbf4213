"""The benchmark of exported models runs, at tiny size, and tells its figures."""

import importlib.util

import pytest

from launch.benchmarks import exported
from launch.exporting import convert


def test_figures_become_a_table():
    row = {"ours": 30.0, "float32": 20.0, "channels first": 21.0, "int8": 60.0, "float32_mb": 4.0, "int8_mb": 1.0}
    judged = {"detector": "cae", "dataset": "aitex", "images": 9, "size": [64, 80], "ours": 0.5, "float32": 0.5,
              "int8": 0.25}  # fmt: skip
    result = {"size": [512, 512], "ms": {"nsa small": row}, "ap": [judged]}
    page = exported.as_section(result, machine="cpu", command="bench")
    assert "| nsa small | 30.0 ms | 20.0 ms | 21.0 ms | 60.0 ms | **1.50** | **0.50** | 4.0 / 1.0 |" in page
    assert "| cae on aitex | 9 of 64 x 80 | 0.5000 | 0.5000 | 0.2500 | **+0.2500** |" in page


@pytest.mark.drill
@pytest.mark.skipif(not all(map(importlib.util.find_spec, convert.NEEDED)), reason="what exporting needs is missing")
def test_all_ways_are_timed_and_judged(run):
    result = exported.bench_exported(turns=1, size=(64, 80), detectors=[("cae", "small")], trained=[run])
    assert all(result["ms"]["cae small"][way] > 0 for way in exported.WAYS)
    (judged,) = result["ap"]
    assert judged["images"] == 7 and judged["size"] == [64, 64]
    assert 0 < judged["ours"] < 1 and judged["float32"] == pytest.approx(judged["ours"], abs=1e-3)
    assert judged["int8"] == pytest.approx(judged["ours"], abs=0.2)
