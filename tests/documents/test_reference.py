"""The API reference is rendered from the docstrings as CONTRIBUTING.md says, without a warning."""

import html
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import jaxdefect
from launch.page import detector_table

ROOT = Path(__file__).parents[2]
COMMAND = re.search(r"^\./in_venv (python .*-m pdoc .*?)  ", (ROOT / "CONTRIBUTING.md").read_text(), re.M)[1]


@pytest.mark.drill
def test_the_reference_has_every_detector_in_its_own_words(tmp_path):
    words = shlex.split(COMMAND)
    done = subprocess.run(
        [sys.executable, *words[1:-1], str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in jaxdefect.names():
        idea, _, _ = detector_table.words_of(name)
        page = (tmp_path / "jaxdefect" / "detectors" / f"{name}.html").read_text()
        text = " ".join(html.unescape(re.sub("<[^>]*>", "", page)).split())
        assert " ".join(idea.split()[:4]).rstrip(".").casefold() in text.casefold(), name
    assert 'id="open_run"' in (tmp_path / "launch" / "run" / "inference.html").read_text()
