"""The command `jaxdefect`: what it runs and lists, what it calls itself, and what it does not load to say so."""

import os
import subprocess
import sys

import pytest

from launch import __main__ as jaxdefect
from launch.command import choices, console
from launch.command.parser import commands, spoken

SLOW = ("jax", "tensorflow", "tensorflow_datasets", "torch", "tensorboardX", "flax", "orbax")
LOADED = f"""
import atexit, runpy, sys
atexit.register(lambda: print("LOADED", [name for name in {SLOW} if name in sys.modules]))
sys.argv = ["train.py", "--help"]
runpy.run_module(NAME, run_name="__main__")
"""


@pytest.fixture(autouse=True)
def as_started(monkeypatch):
    """Puts back what the command changes for its process."""
    monkeypatch.setattr(sys, "argv", ["jaxdefect"])
    yield
    console._said["quiet"] = False


def said(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        jaxdefect.main(list(words))
    printed = capsys.readouterr()
    return ended.value.code, printed.out + printed.err


@pytest.mark.parametrize("name", ["jaxdefect", *(f"launch.{name}" for name in commands())])
def test_help_loads_nothing_slow(name):
    program = LOADED.replace("NAME", repr(name))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0 and "usage: " in done.stdout, done.stderr
    assert done.stdout.strip().endswith("LOADED []")


def test_each_command_has_a_line(capsys):
    status, printed = said(capsys, "--help")
    assert status == 0 and all(f"\n  {name} " in printed for name in commands())


def test_a_command_is_called_as_it_was_started(capsys):
    status, printed = said(capsys, "train", "--help")
    assert status == 0 and printed.startswith("usage: jaxdefect train ") and "    jaxdefect train  " in printed
    assert "launch." not in printed.replace("launch.py", "")


def test_what_is_told_to_type_is_the_command_that_was_started(monkeypatch):
    text = "finish it with launch.train --workdir a; see python -m launch.sweep, not launch.sweeping or launch.train.x"
    assert "with jaxdefect train --workdir a; see jaxdefect sweep, not launch.sweeping or launch.train.x" in spoken(
        text
    )
    monkeypatch.setattr(sys, "argv", ["train.py"])
    assert spoken(text) == text


@pytest.mark.parametrize(
    "what, line",
    [
        ("detectors", "nsa "), ("presets", "segdec             small dagm ksdd ksdd2 steel"), ("datasets", "mvtec "),
        ("sweeps", "table4 "),
    ],
)  # fmt: skip
def test_what_there_is_is_listed(what, line, capsys):
    jaxdefect.main(["list", what])
    assert any(row.startswith(line) for row in capsys.readouterr().out.splitlines())


def test_a_config_is_shown_as_it_is_typed_each_field_explained(capsys):
    jaxdefect.main(["show", "nsa", "--preset", "half"])
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "--detector nsa --preset half"
    assert any(row.startswith("* data.scale=0.5 ") and row.endswith("before training and scoring") for row in rows)
    assert any(row.startswith("  settings.box=3 ") and row.endswith("over the map, pixels") for row in rows)
    assert [row[2:].split("=")[0].strip("'") for row in rows[1:] if "data.options" not in row] == [
        field for field in choices.fields("nsa") if field != "data.options"
    ]


def test_an_unknown_word_is_answered_with_what_there_is(capsys):
    assert said(capsys, "trian")[0] == 2
    assert said(capsys, "show", "nsq") == (1, said(capsys, "show", "nsq")[1])
    assert "did you mean 'nsa'?" in said(capsys, "show", "nsq")[1]


def test_quiet_is_given_before_or_behind_the_command(capsys):
    for words in (["--quiet", "list", "sweeps"], ["list", "sweeps", "--quiet"]):
        console._said["quiet"] = False
        jaxdefect.main(words)
        console.say("a step")
        console.warn("a warning")
        assert capsys.readouterr().err == "a warning\n"


def test_the_version_is_told(capsys):
    assert said(capsys, "--version") == (0, "jaxdefect 0.1.0\n")


def completions(line: str) -> list[str]:
    """What a shell is told for a line that is being typed."""
    pytest.importorskip("argcomplete")
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    program = "import os, sys; os.dup2(1, 8); sys.argv = ['jaxdefect']; from launch.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", program], env=os.environ | asked, capture_output=True, text=True)
    return [word.strip() for word in done.stdout.split("\n")]


@pytest.mark.parametrize(
    "line, word",
    [
        ("jaxdefect ch", "check_data"), ("jaxdefect train --det", "--detector"),
        ("jaxdefect train --detector ns", "nsa"), ("jaxdefect train --detector renet_d --preset pa", "paper"),
        ("jaxdefect train --dataset mag", "magnetic_tile"), ("jaxdefect train train.st", "train.steps="),
        ("jaxdefect sweep tab", "table4"),
    ],
)  # fmt: skip
def test_a_shell_completes(line, word):
    assert word in completions(line)
