"""What a command says when it fails, and what of the libraries it says nothing of."""

import errno
import os
import subprocess
import sys
import threading

import jax
import jax.numpy as jnp
import pytest

from launch.command import start


def test_a_command_says_its_error_in_one_line():
    done = subprocess.run([sys.executable, "-m", "launch.evaluate", "no_such_run"], capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    assert "error: no_such_run is no run" in done.stderr and not done.stdout


def test_a_name_that_the_terminal_cannot_show_is_shown_escaped():
    command = [sys.executable, "-m", "launch.evaluate", "gr\u00f6\u00dfe[/red]\x1b[31m"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    assert "error: gr\\xf6\\xdfe[/red]\\x1b[31m is no run" in done.stderr


def test_a_damaged_compiled_program_is_made_again_without_a_word(tmp_path, monkeypatch, capsys):
    before = jax.config.jax_compilation_cache_dir
    monkeypatch.setattr("warnings.showwarning", start.warn)
    try:
        jax.config.update("jax_compilation_cache_dir", str(tmp_path))
        jax.experimental.compilation_cache.compilation_cache.reset_cache()
        for damage in (None, lambda entry: entry.write_bytes(b""), lambda entry: entry.write_bytes(b"half")):

            @jax.jit
            def damaged_program(x):
                return x * 3 + 1

            for entry in tmp_path.glob("*damaged_program-*-cache") if damage else ():
                damage(entry)
            assert damaged_program(jnp.ones(3)).tolist() == [4, 4, 4]
            sizes = [entry.stat().st_size for entry in tmp_path.glob("*damaged_program-*-cache")]
            assert len(sizes) == 1 and sizes[0] > 100
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
        jax.experimental.compilation_cache.compilation_cache.reset_cache()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("module, said", [("tensorboardX.event_file_writer", False), ("another", True)])
def test_a_full_disk_in_the_thread_of_tensorboard_is_left_to_the_next_file(module, said, monkeypatch):
    class Thread(threading.Thread):
        def run(self):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Thread.__module__, heard = module, []
    monkeypatch.setattr(threading, "__excepthook__", heard.append)
    monkeypatch.setattr(threading, "excepthook", start.in_thread)
    thread = Thread()
    thread.start()
    thread.join()
    assert len(heard) == said
