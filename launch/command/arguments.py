"""The config that a command line asks for."""

import argparse
from pathlib import Path

from ml_collections import ConfigDict

from configs.attributes import attribute_fields
from jaxdefect.backbones import pretrained, weights
from jaxdefect.detector import parameters
from launch.command.configuration import assign, get, override, set_field


def from_arguments(arguments: argparse.Namespace) -> ConfigDict:
    """The config a command line asks for."""
    config = get(arguments.detector, arguments.preset)
    if arguments.dataset:
        set_field(config, "data.name", arguments.dataset)
    if arguments.data:
        config.data.root = str(Path(arguments.data).expanduser().resolve())
    if arguments.weights:
        if not takes_weights(config):
            raise ValueError(f"--weights {arguments.weights}: {config.detector} has no backbone that takes weights")
        config.weights = weights_file(arguments.weights)
    if arguments.attributes:
        if not config.data.attribute_names:
            raise ValueError(f"--attributes {arguments.attributes}: {config.detector} has no attributes of surfaces")
        assign(config, attribute_fields(arguments.attributes))
    override(config, arguments.overrides)
    choose_weights(config)
    return config


def takes_weights(config: ConfigDict) -> bool:
    """Whether a detector has a backbone that takes weights."""
    return "weights" in parameters(config.detector)


def choose_weights(config: ConfigDict) -> None:
    """Fills in the file of a backbone's weights. Raises ValueError where there is none, and none is not meant."""
    if takes_weights(config):
        config.weights = pretrained.choose(config.detector, config.settings.to_dict(), config.weights)


def weights_file(path: str) -> str:
    """The absolute path of a file of weights, or `random`. Raises ValueError where there is none."""
    if path == pretrained.RANDOM:
        return path
    file = Path(path).expanduser().resolve()
    if not file.is_file():
        raise ValueError(f"--weights {path}: there is no such file; give a .safetensors or .h5 of the backbone")
    weights.check_kind(file)
    return str(file)
