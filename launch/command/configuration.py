"""Configs: read from configs/, changed by presets and overrides, written beside a run and read back.

A config is an `ml_collections.ConfigDict`. Its fields are named in one way everywhere: `train.steps`, `settings.box`.
"""

import ast
import json
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from configs import base
from jaxdefect.detector import nearest
from launch.command import choices, limits
from launch.command.parser import spoken

CHOSEN = ("detector", "preset")  # which the other fields follow from
MIXED = ("data.channels",)  # a number or a word
TABLES = ("data.options", "data.attributes")  # fields that hold {name: value} and may be given as a whole
RENAMED = {  # what fields, values and detectors were called before
    "data.mixed": "data.surfaces_as_classes", "data.pooled": "data.split_after_augmentation",
    "data.per_kind": "data.per_surface", "data.calibration": "data.calibration_fraction",
    "data.test_good": "data.test_good_fraction", "data.train_defective": "data.train_defective_fraction",
    "train.labels": "train.supervision", "train.masks": "train.max_masks", "train.pairs": "train.paired_images",
    "train.resident_limit": "train.memory_limit", "train.feed=resident": "train.feed=in_memory",
    "threshold.image": "threshold.image_rule", "threshold.pixel": "threshold.pixel_rule",
    "report.pictures": "report.images", "attribute_names": "data.attribute_names",
    "settings.attributes": "data.attributes", "settings.join": "data.join",
    "settings.steps": "train.steps", "settings.weights": "weights", "settings.weight": "settings.ssim_weight",
    "settings.mode=oracle": "settings.mode=A data.show_unseen=True", "settings.width": "settings.backbone_width",
    "settings.found": "settings.max_detections", "settings.found_overlap": "settings.detection_overlap",
    "settings.least_score": "settings.min_score", "settings.most_boxes": "settings.max_boxes",
    "settings.positive": "settings.positive_overlap", "settings.negative": "settings.negative_overlap",
    "settings.remember": "settings.memory", "dae_skip": "--detector dae --preset skip",
    "cae_multiloss": "--detector cae --preset multiloss", "tf_vaegan": "--detector sbad --preset tf_vaegan",
}  # fmt: skip


def get(detector: str, preset: str | None = None) -> ConfigDict:
    """The config of a detector. Raises ValueError, with the nearest name, for an unknown detector or preset."""
    if detector in RENAMED:
        raise ValueError(f"there is no detector {detector!r} any more; give {RENAMED[detector]}")
    if detector not in choices.detectors():
        raise ValueError(f"no detector named {detector!r}{nearest(detector, choices.detectors())}")
    module = choices.config(detector)
    preset = choices.presets(detector)[0] if preset is None else preset
    if preset not in module.PRESETS:
        raise ValueError(f"{detector} has no preset {preset!r}{nearest(preset, list(module.PRESETS))}")
    config = ConfigDict(_nested(base.RUN) | {"detector": detector, "preset": preset, "settings": module.SETTINGS})
    assign(config, module.BASE)
    assign(config, module.PRESETS[preset])
    return config


def defaults(detector: str) -> dict[str, Any]:
    """{field: value} of a detector's config as it is without its presets and what these start from."""
    return base.RUN | {f"settings.{name}": value for name, value in choices.config(detector).SETTINGS.items()}


def override(config: ConfigDict, pairs: Sequence[str], *, only: Sequence[str] = ()) -> None:
    """Sets `field=value` pairs in place. Raises ValueError naming the field, the value and the nearest field.

    only: if given, the sections that may be changed.
    """
    present, fields = dict(flat(config)), {}
    for pair in pairs:
        field, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"{pair!r} is no field=value, e.g. train.steps=300")
        if only and field.split(".")[0] not in only:
            raise ValueError(
                f"{field} cannot be changed after training; only {', '.join(only)} can. Train again instead"
            )
        typed = field in present and not field.startswith("data.options.")
        fields[field] = coerce(field, text, present[field]) if typed else literal(text)
    assign(config, fields)


def assign(config: ConfigDict, fields: dict[str, Any]) -> None:
    """Sets values (not texts) by field, in place, data.name first. Raises ValueError as `override` does.

    Fields under data.options are the layout's and may be new.
    """
    present = dict(flat(config))
    for field, value in sorted(fields.items(), key=lambda pair: pair[0] != "data.name"):
        if isinstance(value, str) and f"{field}={value}" in RENAMED:
            raise ValueError(f"{field}={value} is called {RENAMED[f'{field}={value}']} now")
        if field in TABLES:
            if not isinstance(value, dict):
                raise ValueError(f"{field}={value} is no table; give {{name: value}}")
            set_field(config, field, ConfigDict(value))
        elif field.startswith("data.options."):
            set_field(config, field, value)
        elif field in CHOSEN and value != present[field]:
            raise ValueError(f"{field}={value} would not change the other fields; give --{field} {value} in its place")
        elif field in present:
            value = check_type(field, value, present[field])
            limits.check(field, value, present[field])
            set_field(config, field, value)
        elif RENAMED.get(field) in {*present, *TABLES}:
            raise ValueError(f"{field} is called {RENAMED[field]} now")
        else:
            raise ValueError(f"the config has no field {field!r}{nearest(field, list(present))}")


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
    value = text if isinstance(present, str) and field not in MIXED else literal(text)
    if isinstance(present, tuple) and not isinstance(value, (tuple, list)):
        value = tuple(literal(part) for part in text.split(",") if part)
    return check_type(field, value, present)


def check_type(field: str, value: Any, present: Any) -> Any:
    """The value, if it is of the present one's type; whole numbers become floats. Raises ValueError if it is not."""
    if field in MIXED and type(value) in (str, int):
        return value
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


def word(field: str, value: Any) -> str:
    """The override that sets a field: fields of data.options are read as Python literals, other texts as they are."""
    return f"{field}={value!r}" if field.startswith("data.options.") else f"{field}={value}"


def typed(field: str, value: Any) -> str:
    """The override that sets a field, as a shell reads it."""
    plain = isinstance(value, (tuple, list)) and value and all(isinstance(part, (str, int, float)) for part in value)
    return shlex.quote(word(field, ",".join(map(str, value)) + "," * (len(value) == 1) if plain else value))


def command(config: ConfigDict) -> str:
    """The command that trains this config: its preset and the fields that differ from it."""
    asked = get(config.detector, config.preset)
    words = ["--detector", config.detector, "--preset", config.preset, "--dataset", config.data.name]
    words += ["--data", config.data.root] if config.data.root else []
    assign(asked, {"data.name": config.data.name, "data.root": config.data.root})
    if config.data.attributes != asked.data.attributes:
        words.append(word("data.attributes", config.data.attributes.to_dict()))
        asked.data.attributes = config.data.attributes
    before = dict(flat(asked))
    words += [word(field, value) for field, value in flat(config) if value != before.get(field)]
    return spoken(shlex.join(["python", "-m", "launch.train", *words]))


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
        return from_dict(json.loads(path.read_bytes()))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not readable JSON ({error}); restore it or train again in a new folder") from error
    except ValueError as error:
        raise ValueError(f"{path} is {error}") from error


def from_dict(fields: dict[str, Any]) -> ConfigDict:
    """The config of what `to_json` wrote: lists become tuples again.

    A field that came after it was written stands at what it is in configs/base.py: as if it were not there.
    """
    config, written = _nested(base.RUN), _tuples(fields)
    old = next((field for field, _ in flat(written) if field in RENAMED and not field.startswith("settings.")), None)
    if old:
        new = RENAMED[old]
        raise ValueError(f"a config of an older version ({old} is called {new} now): train again in a new folder")
    for section, values in written.items():
        default = config.get(section)
        config[section] = default | values if isinstance(default, dict) and isinstance(values, dict) else values
    return ConfigDict(config)


def _nested(table: dict[str, Any]) -> dict[str, Any]:
    tree = {}
    for field, value in table.items():
        *path, last = field.split(".")
        section = tree
        for name in path:
            section = section.setdefault(name, {})
        section[last] = value
    return tree


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tuples(inner) for name, inner in value.items()}
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list) else value


def differing(theirs: ConfigDict, ours: ConfigDict) -> list[str]:
    """The fields in which two configs differ, as they are told: "seed = 0 there, 1 here"."""
    there, here = (dict(flat(from_dict(config.to_dict()))) for config in (theirs, ours))
    return [f"{f} = {there.get(f)!r} there, {here.get(f)!r} here" for f in here | there if here.get(f) != there.get(f)]
