"""Commands: each file here is one, `python -m launch.<name>`; what they are made of stands in the folders."""

import os
import signal
import sys

# A command that begins (Python is still looking for it) and is stopped while it imports has nothing to say or to save.
if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(128 + number))
