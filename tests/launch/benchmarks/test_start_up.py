"""Start-up is told of processes and of every preset: with an empty cache, and with a filled one."""

import pytest

from launch.benchmarks import start_up
from tests import tiny


def test_a_program_is_compiled_once_and_then_read(monkeypatch, tmp_path):
    monkeypatch.setattr(start_up.configuration, "get", lambda name, preset: tiny.config(name))
    compiled = start_up.compiled(tmp_path, [("dct", "paper")])
    assert compiled["dct paper"]["first"] > 0 and compiled["dct paper"]["again"] > 0
    assert any("detect" in path.name for path in tmp_path.iterdir())
    processes = {"detect --help": {"first": 0.4, "again": 0.3}}
    text = start_up.as_section({"processes": processes, "compiled": compiled}, machine="a machine", command="a command")
    assert "| detect --help | 0.4 s | 0.3 s |" in text and "| dct paper |" in text and "Of\n1 presets" in text


@pytest.mark.drill
def test_a_process_is_timed_to_its_first_step_and_to_its_first_image(monkeypatch, tmp_path):
    words = ("--detector", "nsa", *tiny.words("nsa"), "train.steps=2", "train.log_every=1", "train.save_every=1")
    monkeypatch.setattr(start_up, "TRAINED", words)
    figures = start_up.processes(tmp_path, 1)
    assert list(figures) == ["train, to its first step", "detect, to its first image", "detect --help"]
    for row in figures.values():
        assert row["first"] > 0 and row["again"] > 0
