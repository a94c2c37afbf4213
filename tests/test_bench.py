"""The benchmarks run, and their page holds what was measured."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from launch import bench
from launch.benchmarks import frechet, sweep, two_stage

ROOT = Path(__file__).parents[1]


def test_a_curve_is_timed_in_every_way_and_the_page_keeps_its_other_sections(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# Benchmarks\n\n## Training and detection\n\nkept\n\n## A curve of many runs\n\nold\n\n## More\n\nkept, too\n"
    )
    words = ["--preset", "tiny", "--sweep", "--runs", "1", "--steps", "2", "--page", str(page)]
    done = subprocess.run([sys.executable, "-m", "launch.bench", *words], cwd=tmp_path, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    for rows in (result["one process"], *result["population"].values()):
        assert [row["runs"] for row in rows] == [1] and all(row["seconds"] > 0 for row in rows)
    assert set(result["population"]) == set(sweep.FORMS) and result["fresh processes"]["seconds_per_run"] > 0
    text = page.read_text()
    assert (
        "kept\n" in text and "kept, too" in text and "old" not in text and "launch.bench --preset tiny --sweep" in text
    )
    assert len(re.findall(r"^\| \d+ \|", text, re.M)) == 1


def test_the_distance_is_timed_beside_the_matrix_root(tmp_path, monkeypatch):
    monkeypatch.setattr(frechet, "CASES", {"64 x 64, preset small": (20, 30)})
    page = tmp_path / "page.md"
    result = bench.main(["--frechet", "--preset", "tiny", "--detector", "maa", "--turns", "1", "--page", str(page)])
    forms = result["distance"]["64 x 64, preset small"]
    assert forms["ours, singular values"]["error"] < 1e-5 and all(form["ms"] > 0 for form in forms.values())
    assert forms["eigenvalues of S1^1/2 S2 S1^1/2"]["error"] > forms["ours, singular values"]["error"]
    text = page.read_text()
    assert "| 64 x 64, preset small [20, 30] |" in text and "Scoring with MAA, preset tiny" in text


def test_the_two_stages_are_timed_apart_and_together(tmp_path, monkeypatch):
    monkeypatch.setattr(two_stage, "LAYERS", {"small": ((1, 16, 16, 4), 8)})
    result = two_stage.bench_two_stage(turns=1, systems={"tiny": ("tiny", 64)})
    (row,) = result["systems"].values()
    assert all(row[name] > 0 for name in ("surface_ms", "defect_ms", "whole_ms", "fps"))
    text = two_stage.as_section(result, machine="here", command="that")
    assert "| small: [1, 16, 16, 4], 15 x 15 to 8 |" in text and "| tiny, 512 x 512 |" in text
