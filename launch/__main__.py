"""Surface-defect detection: trains detectors, judges them, and finds defects in images.

    jaxdefect COMMAND --help           what a command does, and all it takes
    jaxdefect list detectors           what there is: detectors, presets, datasets, sweeps
    jaxdefect show nsa                 the fields of a config, each explained

In a checkout, `python -m launch.COMMAND` is the same. Completion of a shell: pip install "jaxdefect[complete]", then
eval "$(register-python-argcomplete jaxdefect)".
"""

import argparse
import contextlib
import importlib
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from launch.command import choices
from launch.command.parser import commands, completed
from launch.command.parser import parser as parser_of


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command as `python -m launch.COMMAND` would."""
    argv = list(sys.argv[1:] if argv is None else argv)
    sys.argv = ["jaxdefect", *argv]  # What help and errors call the program by.
    if "_ARGCOMPLETE" in os.environ:
        complete(os.environ.get("COMP_LINE", "").split())
    asked = parser().parse_args(argv)
    quiet = ["--quiet"] if "--quiet" in argv[: argv.index(asked.command)] else []
    sys.argv = [f"jaxdefect {asked.command}", *quiet, *asked.words]
    runpy.run_module(f"{__package__}.{asked.command}", run_name="__main__")


def parser() -> argparse.ArgumentParser:
    """The command line up to the name of the command, with a line on each."""
    lines = [(name, text) for name, text in choices.described(Path(__file__).parent) if name in commands()]
    width = max(map(len, commands()))
    made = parser_of(__doc__)
    made.epilog = "commands:\n" + "\n".join(f"  {name:{width}}  {text}" for name, text in lines)
    made.add_argument("command", choices=commands(), metavar="COMMAND", help="one of those below")
    made.add_argument("words", nargs=argparse.REMAINDER, metavar="...", help="what it is given")
    return made


def complete(typed: Sequence[str]) -> None:
    """Tells the shell, which asks for it, what the word under the cursor may become."""
    with contextlib.suppress(ImportError):  # Whoever asks has it installed.
        import argcomplete

        if len(typed) > 2 and typed[1] in commands():
            os.environ["_ARGCOMPLETE"] = "2"  # Words before the second are not the command's.
            argcomplete.autocomplete(importlib.import_module(f"{__package__}.{typed[1]}").parser())
        made = parser_of(__doc__)
        completed(made.add_argument("command"), lambda **about: commands())
        argcomplete.autocomplete(made)


if __name__ == "__main__":
    main()
