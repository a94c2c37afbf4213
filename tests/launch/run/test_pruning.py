"""Settings of the fine-tuning."""

from launch.run import pruning
from tests.tiny import config as tiny_config


def test_settings_that_follow_the_steps_follow_those_of_the_fine_tuning():
    config = pruning.trained_on(tiny_config("segdec"), 7)
    assert config.train.steps == config.settings.steps == 7
