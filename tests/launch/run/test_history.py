"""The record of a training: what is read of it after a kill, and what a resumed run writes again."""

import re
import time

from launch.command import console
from launch.run import history
from launch.run.history import TrainingLog, read_history


def test_what_cannot_be_read_is_counted_and_left_out(tmp_path):
    path = tmp_path / "history.jsonl"
    assert read_history(path) == ([], 0)
    path.write_text('{"step": 5, "loss": 2.0}\n[1]\n{"loss": 1.0}\n\n{"step": 10, "loss": 1.0}\n{"step": 15, "lo')
    lines, unreadable = read_history(path)
    assert [line["step"] for line in lines] == [5, 10] and unreadable == 3


def test_bytes_that_are_no_text_and_values_that_are_no_numbers_cost_their_line(tmp_path):
    path = tmp_path / "history.jsonl"
    sound = b'{"step": 5, "loss": 2.0, "spread": null}\n'
    path.write_bytes(sound + b'{"step": 6, "lo\xffs": 1.0}\n{"step": "7", "loss": 1.0}\n{"step": 8, "loss": [1]}\n3\n')
    lines, unreadable = read_history(path)
    assert [line["step"] for line in lines] == [5] and unreadable == 4


def test_a_resumed_run_writes_the_lines_after_its_checkpoint_again(tmp_path):
    for resumed in (False, True):
        log = TrainingLog(tmp_path, steps=20, bar=None)
        for step in range(15 if resumed else 5, 21, 5):
            log(step, {"loss": float(step + 100 * resumed)})
        log.close()
        with (tmp_path / "history.jsonl").open("a") as file:
            file.write('{"step": 2')  # As a kill leaves it.
    lines, unreadable = read_history(tmp_path / "history.jsonl")
    assert [(line["step"], line["loss"]) for line in lines] == [(5, 5.0), (10, 10.0), (15, 115.0), (20, 120.0)]
    assert unreadable == 1


def test_it_is_told_how_long_training_takes_once_steps_were_timed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(history, "TIMED_S", 0.2)
    with console.progress_bar() as bar:
        log = TrainingLog(tmp_path, steps=60, bar=bar)
        for step in range(31, 41):  # It goes on from step 30.
            log.step(step)
            time.sleep(0.05 if step > 32 else 0.5)  # The first compiles, and is no measure of the others.
            assert ("compiling" in console.going_on()) == (step < 33)
        log(40, {"loss": 1.0})
        begun, told, logged = capsys.readouterr().err.splitlines()
    assert begun == "training, 60" and re.fullmatch(r"\d steps in \d s, about \d+ s left", told)
    assert re.fullmatch(r"step 40/60  loss 1.0000  \d s, about \d+ s left", logged)
