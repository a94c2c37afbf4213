"""When, by which code and where a result was made."""

import datetime
import subprocess

from launch.command import environment as module


def test_a_result_knows_its_date_and_its_machine():
    made = module.environment()
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(made["date"])
    assert datetime.timedelta() <= age + datetime.timedelta(seconds=1) < datetime.timedelta(minutes=1)
    assert made["versions"]["jax"] and made["hardware"]["cpu_cores"]


def test_the_commit_is_that_of_a_checkout_of_this_code_alone(tmp_path, monkeypatch):
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y", "-C", str(tmp_path)]
    copy = tmp_path / "environment.py"
    copy.write_text("")
    monkeypatch.setattr(module, "__file__", str(copy))
    assert module.commit.__wrapped__() is None  # No checkout at all.
    subprocess.run([*git, "init", "-q"], check=True)
    assert module.commit.__wrapped__() is None  # Another project's, in which it is installed.
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert module.commit.__wrapped__() == head.strip()
    copy.write_text("changed")
    assert module.commit.__wrapped__() == f"{head.strip()}-dirty"
