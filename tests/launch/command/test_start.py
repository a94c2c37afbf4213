"""What a command says when it fails."""

import subprocess
import sys


def test_a_command_says_its_error_in_one_line():
    done = subprocess.run([sys.executable, "-m", "launch.evaluate", "no_such_run"], capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    assert "error: no_such_run is no run" in done.stdout
