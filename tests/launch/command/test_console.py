"""What is said of progress off a terminal: a line for each phase, and one whenever nothing was said for a while. What
users name is shown as it is and on one line; nothing of it is read as markup or reaches the terminal.
"""

import io
import re
import time

import pytest
from rich.table import Table

from launch.command import console
from launch.command.console import Plain


@pytest.fixture
def lines(monkeypatch, capsys):
    """What was said so far, on standard error; nothing may come on standard output."""
    monkeypatch.setattr(console, "_said", console._said | {"quiet": False, "at": time.monotonic(), "phase": ""})

    def said():
        printed = capsys.readouterr()
        assert not printed.out
        return printed.err.splitlines()

    return said


def test_each_phase_is_a_line_and_those_within_another_are_none(lines):
    with console.progress_bar() as bar:
        bar.add_task("scoring ", total=40, note="")
    with console.progress_bar() as bar:
        bar.add_task("sweep   ", total=3, note="")
        with console.progress_bar() as inner:
            inner.add_task("training", total=600, note="")
        assert len(bar.tasks) == 1
    assert lines() == ["scoring, 40", "sweep, 3"]


def test_what_goes_on_is_said_again_whenever_nothing_was_for_a_while(lines, monkeypatch):
    monkeypatch.setattr(console, "EVERY_S", 0.2)
    with console.heartbeat():
        console.phase("fitting")
        time.sleep(0.5)
        first = lines()
        with console.progress_bar() as bar:
            task = bar.add_task("scoring ", total=40, note="slowly")
            bar.advance(task, 7)
            time.sleep(0.5)
            bar.advance(task, 3)
            assert re.fullmatch(r"scoring 10/40 slowly, for \d s, about \d+ s left", console.going_on())
    assert first[0] == "fitting" and first[1].startswith("fitting, for ")
    assert any(line.startswith("scoring 7/40 slowly, for ") for line in lines())


def test_a_phase_that_says_enough_is_left_alone(lines, monkeypatch):
    monkeypatch.setattr(console, "EVERY_S", 0.5)
    with console.heartbeat():
        for number in range(8):
            console.say(f"step {number}")
            time.sleep(0.1)
    assert lines() == [f"step {number}" for number in range(8)]


def test_quiet_leaves_warnings(lines):
    console.hush()
    console.phase("fitting")
    console.warn("two images are alike: [red]")
    assert lines() == ["two images are alike: [red]"]


@pytest.mark.parametrize("seconds, text", [(4.4, "4 s"), (89, "89 s"), (170, "3 min"), (7800, "2 h 10 min")])
def test_durations_are_told_in_words(seconds, text):
    assert console.duration(seconds) == text


@pytest.mark.parametrize("terminal", [False, True])
def test_names_are_shown_as_they_are(terminal):
    file = io.StringIO()
    plain = Plain(highlight=False, soft_wrap=True, file=file, force_terminal=terminal, width=200, color_system=None)
    table = Table("[b]column", title="[i]title")
    table.add_row("a[/red]\x1b]0;PWN\x07")
    plain.print("runs/[old]/:warning:/[/red]", "second\nerror: forged\r", style="yellow")
    plain.print(table)
    shown = file.getvalue()
    assert shown.splitlines()[0] == "runs/[old]/:warning:/[/red] second\\nerror: forged\\r"
    assert all(part in shown for part in ("[b]column", "[i]title", "a[/red]\\x1b]0;PWN\\x07"))
    assert "\x07" not in shown and "\r" not in shown and "\x1b]" not in shown
