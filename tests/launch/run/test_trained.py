"""A trained run of another version says so."""

import pytest

from launch.command import configuration as configs
from launch.run.trained import make_detector


def test_a_run_of_another_version_says_so():
    config = configs.get("sbad", "tiny")
    del config.settings.steps
    with pytest.raises(ValueError, match="settings.steps is missing for sbad; a run of another version"):
        make_detector(config)
