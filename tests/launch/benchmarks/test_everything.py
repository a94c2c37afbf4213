"""The page of all benchmarks: whole after each part, whatever becomes of the others."""

import sys
import time

import pytest

from launch import bench
from launch.benchmarks import everything
from launch.benchmarks.everything import PARTS, Part
from tests.launch.benchmarks import tiny_bench

# Stands in for launch.bench: writes its section, fails, or hangs, as its first word says.
STAND_IN = """
import json, os, sys, time
from pathlib import Path
what, page = sys.argv[1], Path(sys.argv[sys.argv.index("--page") + 1])
assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
if what == "fails":
    sys.exit("error: no memory | left")
if what == "hangs":
    os.fork()  # As the benchmark of a curve does, whose processes are to end with it.
    time.sleep(1.0 if os.fork() else 60)
    time.sleep(60)
with page.open("a") as file:
    file.write(f"\\n## Section of {what}\\n\\nfigures\\n")
hardware = {"device": "Abacus 9", "cpu_cores": 3, "machine": "x", "platform": "gpu"}
print(json.dumps({"hardware": hardware, "versions": {"jax": "1", "python": "3"}}))
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    (tmp_path / "bench.py").write_text(STAND_IN)
    monkeypatch.setattr(everything, "BENCH", (sys.executable, str(tmp_path / "bench.py")))
    return tmp_path / "page.md"


def states_of(page, parts, minutes=1.0):
    result = everything.bench_everything(page, minutes=minutes, command="a command", parts=parts)
    return result["parts"], page.read_text()


def test_each_part_is_on_the_page_and_one_that_fails_is_a_line(stand_in):
    parts = [Part("A", ("first",), 1), Part("B", ("fails",), 1), Part("C", ("second",), 1), Part("D", ("third",), 999)]
    states, text = states_of(stand_in, parts)
    assert states["B"] == "failed with status 1: error: no memory | left" and "no memory / left" in text
    assert states["D"].startswith("skipped:") and "reckoned to take 999" in text and "Section of third" not in text
    assert text.index("# Speed on one device") < text.index("Abacus 9") < text.index("Section of first")
    assert text.index("Section of first") < text.index("Section of second") and text.count("# Speed on") == 1
    assert text.count("figures\n") == 2 and "not begun" not in text


def test_a_part_that_hangs_is_ended_and_the_page_is_whole_meanwhile(stand_in):
    begun = time.monotonic()
    parts = [Part("A", ("first",), 0), Part("B", ("hangs",), 0), Part("C", ("second",), 1)]
    states, text = states_of(stand_in, parts, minutes=3 / 60)
    assert time.monotonic() - begun < 20
    assert states["B"].startswith("stopped: it had not ended") and states["C"].startswith("skipped")
    assert "Section of first" in text and "Section of second" not in text


def test_without_pytorch_ours_alone_is_measured(stand_in, monkeypatch):
    monkeypatch.setattr(everything.importlib.util, "find_spec", lambda name: None)
    states, text = states_of(stand_in, [Part("A", ("first", "--against", "torch"), 1)])
    assert everything.NOT_INSTALLED in states["A"] and everything.NOT_INSTALLED in text


def test_it_needs_a_page_and_takes_no_fields(tmp_path):
    for words in ([], ["--page", str(tmp_path / "page.md"), "train.steps=3"]):
        with pytest.raises(ValueError, match="give --page docs/gpu.md"):
            bench.main(["--everything", *words])


@pytest.mark.drill
def test_every_part_runs_at_tiny_size(tmp_path, monkeypatch):
    monkeypatch.setattr(everything, "BENCH", (sys.executable, "-m", tiny_bench.__name__))
    states, text = states_of(tmp_path / "page.md", PARTS, minutes=60)
    assert not [state for state in states.values() if not state.split(" ")[0].isdigit()], states
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [part.title for part in PARTS]
