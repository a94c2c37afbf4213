"""A run without a trained detector."""

from launch.run.trained import Run
from tests.tiny import config as tiny_config


def run_with(**settings):
    config = tiny_config("renet_d")
    with config.unlocked():
        config.settings.update(settings)
    return Run(config, None, None, {})
