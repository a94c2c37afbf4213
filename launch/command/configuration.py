"""Configs at the door: which one, what is overridden, how it is written down and read back."""

import argparse
import ast
import difflib
import importlib
import json
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

import jaxdefect
from configs import attributes, base


def parser(description: str) -> argparse.ArgumentParser:
    """The command line that train and bench share."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--detector", default="renet_d", help="a file of jaxdefect/detectors (default: renet_d)")
    made.add_argument("--preset", help="a preset of configs/<detector>.py (default: the config's own)")
    made.add_argument("--dataset", help="a file of data_pipeline/layouts (default: synthetic)")
    made.add_argument("--data", help="the folder of the images (default: $JAXDEFECT_DATA/<dataset>)")
    made.add_argument(
        "--attributes", type=Path, help="a table of what surfaces look like (a CSV, see configs/attributes)"
    )
    made.add_argument(
        "overrides", nargs="*", metavar="field=value", help="any field of the config, e.g. train.steps=300"
    )
    return made


def from_arguments(arguments: argparse.Namespace) -> ConfigDict:
    """The config a command line asks for."""
    config = get(arguments.detector, arguments.preset)
    if arguments.dataset:
        set_field(config, "data.name", arguments.dataset)
    if arguments.data:
        config.data.root = str(Path(arguments.data).expanduser().resolve())
    if getattr(arguments, "attributes", None):
        if "attribute_names" not in config:
            raise ValueError(f"--attributes {arguments.attributes}: {config.detector} has no attributes of surfaces")
        attributes.describe(config, arguments.attributes)
    override(config, arguments.overrides)
    return config


def get(detector: str, preset: str | None = None) -> ConfigDict:
    """The config of a detector. Raises ValueError, with the nearest name, for an unknown detector or preset."""
    if detector not in jaxdefect.names():
        jaxdefect.load(detector)  # Raises, and says what there is.
    module = importlib.import_module(f"configs.{detector}")
    if preset is None:
        return module.get_config()
    if preset not in module.PRESETS:
        raise ValueError(f"{detector} has no preset {preset!r}{nearest(preset, list(module.PRESETS))}")
    return module.get_config(preset)


def nearest(name: str, known: Sequence[str]) -> str:
    """The end of an error about an unknown name: the nearest one and all there are."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return (f"; did you mean {near[0]!r}?" if near else ";") + f" There are: {', '.join(known)}"


def override(config: ConfigDict, pairs: Sequence[str], *, only: Sequence[str] = ()) -> None:
    """Sets `field=value` pairs in place. Raises ValueError naming the field, the value and the nearest field.

    only: if given, the sections that may be changed. Fields under data.options are the layout's and may be new.
    """
    fields = dict(flat(config))
    for pair in sorted(pairs, key=lambda pair: not pair.startswith("data.name=")):
        field, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"{pair!r} is no field=value, e.g. train.steps=300")
        if only and field.split(".")[0] not in only:
            raise ValueError(
                f"{field} cannot be changed after training; only {', '.join(only)} can. Train again instead"
            )
        if field.startswith("data.options."):
            config.data.options[field.removeprefix("data.options.")] = literal(text)
        elif field in fields:
            set_field(config, field, coerce(field, text, fields[field]))
        else:
            raise ValueError(f"the config has no field {field!r}{nearest(field, list(fields))}")


def assign(config: ConfigDict, fields: dict[str, Any]) -> None:
    """Sets values (not texts) by field, in place. Raises ValueError as `override` does."""
    known = dict(flat(config))
    for field, value in sorted(fields.items(), key=lambda pair: pair[0] != "data.name"):
        if field.startswith("data.options."):
            config.data.options[field.removeprefix("data.options.")] = value
        elif field in known:
            set_field(config, field, check_type(field, value, known[field]))
        else:
            raise ValueError(f"the config has no field {field!r}{nearest(field, list(known))}")


def set_field(config: ConfigDict, field: str, value: Any) -> None:
    """config.a.b = value for the field "a.b". Another dataset leaves no options: they are those of one layout."""
    if field == "data.name" and value != config.data.name:
        config.data.options = ConfigDict()
    *path, last = field.split(".")
    for name in path:
        config = config[name]
    with config.ignore_type():
        config[last] = value


def literal(text: str) -> Any:
    """A Python literal, or the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False}.get(text.lower(), text)


def coerce(field: str, text: str, present: Any) -> Any:
    """The text as the type of the present value. Raises ValueError where it is of another."""
    value = text if isinstance(present, str) else literal(text)
    if isinstance(present, tuple) and not isinstance(value, (tuple, list)):
        value = tuple(literal(part) for part in text.split(",") if part)
    return check_type(field, value, present)


def check_type(field: str, value: Any, present: Any) -> Any:
    """The value, if it is of the present one's type; whole numbers become floats. Raises ValueError if it is not."""
    if isinstance(present, tuple) and isinstance(value, (tuple, list)):
        if not present or all(isinstance(item, type(present[0])) for item in value):
            return tuple(value)
    elif isinstance(present, bool) or isinstance(value, bool):
        if isinstance(present, bool) and isinstance(value, bool):
            return value
    elif isinstance(present, float) and isinstance(value, (int, float)):
        if not math.isfinite(value):
            raise ValueError(f"{field}={value} is not finite; give a number like {present!r}")
        return float(value)
    elif isinstance(value, type(present)):
        return value
    raise ValueError(
        f"{field}={value} is not of the type of {present!r} ({type(present).__name__}); give a value like it"
    )


def flat(config: ConfigDict | dict, prefix: str = "") -> list[tuple[str, Any]]:
    """[("train.steps", 1000), ...]"""
    pairs = []
    for name, value in config.items():
        inner = isinstance(value, (ConfigDict, dict))
        pairs += flat(value, f"{prefix}{name}.") if inner else [(prefix + name, value)]
    return pairs


def command(config: ConfigDict) -> str:
    """The command that trains this config: its preset and the fields that differ from it."""
    preset = dict(flat(get(config.detector, config.preset)))
    words = ["--detector", config.detector, "--preset", config.preset, "--dataset", config.data.name]
    words += ["--data", config.data.root] if config.data.root else []
    named = ("detector", "preset", "data.name", "data.root")
    for field, value in flat(config):
        if field not in named and value != preset.get(field):
            # Only the fields of data.options are read as Python literals; a text elsewhere is taken as it is.
            words.append(f"{field}={value!r}" if field.startswith("data.options.") else f"{field}={value}")
    return shlex.join(["python", "-m", "launch.train", *words])


def to_json(config: ConfigDict) -> str:
    """Readable JSON; tuples become lists."""
    return json.dumps(config.to_dict(), indent=2)


def read(path: Path) -> ConfigDict:
    """The config of a run. Raises FileNotFoundError or ValueError with the remedy."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.parent} is no run: it has no {path.name}. Give the folder named by launch.train"
        )
    try:
        return from_dict(json.loads(path.read_text()))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not readable JSON ({error}); restore it or train again in a new folder") from error


def from_dict(fields: dict[str, Any]) -> ConfigDict:
    """The config of what `to_json` wrote: lists become tuples again.

    A field that came after it was written stands at what it is in configs/base.py: as if it were not there.
    """
    config = base.get_config().to_dict()
    written = _tuples(fields)
    for section, values in written.items():
        known = config.get(section)
        config[section] = known | values if isinstance(known, dict) and isinstance(values, dict) else values
    return ConfigDict(config)


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tuples(inner) for name, inner in value.items()}
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list) else value


def check_same(config: ConfigDict, path: Path) -> None:
    """Raises ValueError if the run in this folder was made by another config, naming the fields that differ."""
    if not path.is_file():
        return
    ours, theirs = dict(flat(from_dict(config.to_dict()))), dict(flat(read(path)))
    differing = [
        f"{f} = {theirs.get(f)!r} there, {ours.get(f)!r} here" for f in ours | theirs if ours.get(f) != theirs.get(f)
    ]
    if differing:
        raise ValueError(f"{path.parent} holds a run of another config ({'; '.join(differing)}); "
                         "give another --workdir, or delete that folder")  # fmt: skip
