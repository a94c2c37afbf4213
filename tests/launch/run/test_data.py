"""How images are converted."""

import pytest

from launch.command import configuration as configs
from launch.run.data import conversion


def test_a_size_and_a_scale_at_once_are_refused():
    config = configs.get("maa", "tiny")
    config.data.scale = 0.5
    with pytest.raises(ValueError, match="data.size = 32 with data.scale = 0.5"):
        conversion(config)
