"""Every preset of every detector is a config of its own that the detector can be made of."""

import importlib
import itertools

import pytest

import jaxdefect
from configs import base
from launch.command import choices, configuration
from launch.run.trained import make_detector

SECTIONS = ("data", "train", "score", "threshold", "report")


@pytest.mark.parametrize("name", jaxdefect.names())
def test_every_preset_makes_the_detector_and_differs_from_all_others(name):
    module = importlib.import_module(f"configs.{name}")
    made = {}
    for preset in choices.presets(name):
        config = configuration.get(name, preset)
        assert (config.detector, config.preset, config.weights) == (name, preset, "")
        make_detector(config)
        made[preset] = config.to_dict() | {"preset": ""}
    for one, other in itertools.combinations(made, 2):
        assert made[one] != made[other], (one, other)
    assert sum(not table for table in module.PRESETS.values()) <= 1
    assert "tiny" not in made
    for table in (module.BASE, *module.PRESETS.values()):  # Tables are flat, and of fields that there are.
        assert all(field in base.RUN or field.split(".")[0] in ("settings", *SECTIONS) for field in table)
        assert not any(isinstance(value, dict) for field, value in table.items() if field not in configuration.TABLES)


@pytest.mark.parametrize("name", jaxdefect.names())
def test_settings_are_keyword_arguments_of_the_detector_and_of_nothing_else(name):
    settings = importlib.import_module(f"configs.{name}").SETTINGS
    asked = jaxdefect.detector.parameters(name)
    assert settings.keys() <= asked
    others = {field.split(".", 1)[1] for field in base.RUN if field.startswith("data.")} | {"weights", "steps", "kinds"}
    assert asked - settings.keys() <= others
