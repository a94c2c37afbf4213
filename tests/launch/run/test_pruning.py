"""Settings of the fine-tuning."""

from launch.command import configuration as configs
from launch.run import pruning


def test_settings_that_follow_the_steps_follow_those_of_the_fine_tuning():
    config = pruning.trained_on(configs.get("segdec", "tiny"), 7)
    assert config.train.steps == config.settings.steps == 7
