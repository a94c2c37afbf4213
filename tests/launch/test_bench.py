"""The benchmarks run, and their page keeps its other sections."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from launch.benchmarks import sweep
from tests import tiny

ROOT = Path(__file__).parents[2]


@pytest.mark.drill
def test_a_curve_is_timed_in_every_way_and_the_page_keeps_its_other_sections(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# Benchmarks\n\n## Training and detection\n\nkept\n\n## A curve of many runs\n\nold\n\n## More\n\nkept, too\n"
    )
    words = ["--preset", "paper", "--sweep", "--runs", "1", "--steps", "2", "--page", str(page), *tiny.words("renet_d")]
    done = subprocess.run([sys.executable, "-m", "launch.bench", *words], cwd=tmp_path, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    for rows in (result["one process"], *result["population"].values()):
        assert [row["runs"] for row in rows] == [1] and all(row["seconds"] > 0 for row in rows)
    assert set(result["population"]) == set(sweep.FORMS) and result["fresh processes"]["seconds_per_run"] > 0
    text = page.read_text()
    assert (
        "kept\n" in text and "kept, too" in text and "old" not in text and "launch.bench --preset paper --sweep" in text
    )
    assert len(re.findall(r"^\| \d+ \|", text, re.M)) == 1
