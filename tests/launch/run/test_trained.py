"""A trained run of another version says so."""

import pytest

from launch.run.trained import make_detector
from tests.tiny import config as tiny_config


def test_a_run_of_another_version_says_so():
    config = tiny_config("sbad")
    del config.settings.steps
    with pytest.raises(ValueError, match="settings.steps is missing for sbad; a run of another version"):
        make_detector(config)
