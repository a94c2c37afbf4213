"""The command lines of all commands. Nothing slow is imported here: `--help` needs no JAX."""

import argparse
import importlib.metadata
import math
import pkgutil
import re
import sys
from pathlib import Path
from typing import Any

from launch.command import choices


def commands() -> list[str]:
    """The commands there are: the files directly in launch/."""
    found = pkgutil.iter_modules([str(Path(__file__).parents[1])])
    return sorted(module.name for module in found if not module.ispkg and module.name != "__main__")


def as_jaxdefect() -> bool:
    """Whether the user started `jaxdefect train` rather than `python -m launch.train`, as only a checkout can."""
    return __name__.split(".")[0] != "launch" or Path(sys.argv[0]).name.split(" ")[0] == "jaxdefect"


def spoken(text: str) -> str:
    """A text with its commands as this process's user starts them: `launch.train` may be `jaxdefect train`."""
    if not as_jaxdefect():
        return text
    return re.sub(rf"\b(?:python -m )?launch\.({'|'.join(commands())})\b(?![./])", r"jaxdefect \1", text)


def parser(description: str) -> argparse.ArgumentParser:
    """A command line with what all commands have."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    program = None if as_jaxdefect() or spec is None else f"python -m {spec.name}"  # None: the first word.
    shared = argparse.ArgumentParser(
        prog=program, description=spoken(description), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared.add_argument("--quiet", action=Quiet, nargs=0, help="only results, warnings and errors are said")
    version = f"jaxdefect {importlib.metadata.version('jaxdefect')}"
    shared.add_argument("--version", action="version", version=version, help="say the version and end")
    return shared


def config_parser(
    description: str, *, folder: str = "", detector: str = "renet_d", overrides: str = "field=value"
) -> argparse.ArgumentParser:
    """The command line of a config.

    folder: what the positional argument `folder` is for, if there is one. overrides: how they are written.
    """
    shared = parser(description)
    add = shared.add_argument
    if folder:
        add("folder", type=Path, help=folder)
    completed(add("--detector", default=detector, help="a file of jaxdefect/detectors (default: %(default)s)"),
              lambda **about: choices.detectors())  # fmt: skip
    completed(add("--preset", help="a preset of configs/<detector>.py (default: the first)"),
              lambda parsed_args, **about: choices.presets(parsed_args.detector))  # fmt: skip
    completed(add("--dataset", help="a file of data_pipeline/layouts (default: synthetic)"),
              lambda **about: choices.datasets())  # fmt: skip
    add("--data", help="the folder of the images (default: $JAXDEFECT_DATA/<dataset>)")
    add("--weights", help="a file of the backbone's weights, or random (default: the one in $JAXDEFECT_WEIGHTS)")
    add("--attributes", type=Path, help="a table of what surfaces look like (a CSV, see configs/attributes.py)")
    completed(add("overrides", nargs="*", metavar=overrides, help="any field of the config, e.g. train.steps=300"),
              lambda parsed_args, **about: [f"{field}=" for field in choices.fields(parsed_args.detector)])  # fmt: skip
    return shared


def completed(action: argparse.Action, completer: Any) -> None:
    """Tells argcomplete, where it is installed, what a shell may complete an argument to."""
    action.completer = completer


def finite(text: str) -> float:
    """A number, for argparse: neither NaN nor infinite."""
    try:
        if math.isfinite(value := float(text)):
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text} is no number; give one such as 0.5")


def count(text: str) -> int:
    """A whole number, for argparse: 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no count; give a whole number such as 0 or 20")
    return int(text)


class Quiet(argparse.Action):
    """--quiet: nothing is said of progress."""

    def __call__(self, *about: Any) -> None:
        from launch.command import console

        console.hush()
