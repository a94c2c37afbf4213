"""A run without a trained detector."""

from launch.command import configuration as configs
from launch.run.trained import Run


def run_with(**settings):
    config = configs.get("renet_d", "tiny")
    with config.unlocked():
        config.settings.update(settings)
    return Run(config, None, None, {})
