"""Signals: where they stop a command, what they leave be, and how it ends."""

import os
import signal
import time

import pytest

from launch.command import start, stopping
from launch.command.stopping import SIGNALS


@pytest.fixture(autouse=True)
def heard():
    """Signals as a terminal leaves them; where the tests run in the background, some are ignored."""
    usual = {number: signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL for number in SIGNALS}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def stopped(main, capsys):
    """(exit status, what was said) of a command that is stopped."""
    with pytest.raises(SystemExit) as end:
        start.run(main, [])
    return end.value.code, capsys.readouterr().err


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_stops_a_command_and_its_status_tells_which(number, capsys):
    def main(argv):
        os.kill(os.getpid(), number)
        time.sleep(10)
        pytest.fail("it went on")

    before = signal.getsignal(number)
    status, said = stopped(main, capsys)
    assert status == 128 + number and not stopping._asked  # A training in the same process is not stopped.
    assert said == f"stopped by {signal.Signals(number).name}; the same command goes on\n"
    assert signal.getsignal(number) == before


def test_where_what_is_raised_would_be_lost_a_signal_comes_again(capsys):
    def _xla_gc_callback():
        os.kill(os.getpid(), signal.SIGTERM)

    def main(argv):
        _xla_gc_callback()
        time.sleep(10)
        pytest.fail("it went on")

    assert stopped(main, capsys)[0] == 143


def test_training_is_told_and_ends_when_it_has_saved(capsys):
    def main(argv):
        with stopping.deferred() as stop:
            assert not stop()
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)  # Its launcher's, beside that of its terminal.
            assert stop()
            raise KeyboardInterrupt("step 7 is saved")

    status, said = stopped(main, capsys)
    assert status == 143 and said == "stopped by SIGTERM: step 7 is saved; the same command goes on\n"


def test_a_signal_that_nobody_asked_for_is_not_lost(capsys):
    def main(argv):
        with stopping.deferred():
            os.kill(os.getpid(), signal.SIGHUP)
        pytest.fail("it went on")

    assert stopped(main, capsys)[0] == 129


def test_what_is_ignored_stays_ignored(capsys):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # As under nohup.
    try:
        start.run(lambda argv: os.kill(os.getpid(), signal.SIGHUP), [])
    finally:
        signal.signal(signal.SIGHUP, before)
    assert capsys.readouterr() == ("", "")


def test_a_command_that_does_not_come_to_stop_is_ended(monkeypatch):
    monkeypatch.setattr(stopping, "GRACE", 0.1)
    ended = []
    monkeypatch.setattr(stopping, "_end", ended.append)
    with stopping.handled():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        time.sleep(0.5)  # It clears up for too long.
    assert ended == [signal.SIGTERM]
