"""Shows every field of a config, as it is typed on the command line, with what it means.

    python -m launch.show nsa
    python -m launch.show nsa --preset paper

Fields that the preset sets otherwise than configs/base.py have a star.
"""

import argparse
import sys

from launch.command import choices, start
from launch.command.console import console
from launch.command.parser import completed
from launch.command.parser import parser as parser_of


def main(argv: list[str] | None = None) -> None:
    """Prints the fields."""
    asked = parser().parse_args(argv)
    from launch.command import configuration, explanations

    config = configuration.get(asked.config, asked.preset)
    meanings, defaults = explanations.of(asked.config), configuration.defaults(asked.config)
    console.print(f"--detector {config.detector} --preset {config.preset}")
    values = dict(configuration.flat(config))
    for field in choices.fields(asked.config):
        inner = {name: value for name, value in values.items() if name.startswith(f"{field}.")}
        for name, value in (inner or {field: values.get(field, {})}).items():
            star = " " if value == defaults.get(name) else "*"
            line = f"{star} {configuration.typed(name, value):44}  {meanings.get(field, '')}"
            console.print(line.rstrip())


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = parser_of(__doc__)
    completed(made.add_argument("config", metavar="CONFIG", help="a detector: a file of configs/"),
              lambda **about: choices.detectors())  # fmt: skip
    completed(made.add_argument("--preset", help="one of its presets (default: the first)"),
              lambda parsed_args, **about: choices.presets(parsed_args.config))  # fmt: skip
    return made


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
