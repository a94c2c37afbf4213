"""How images are converted."""

import pytest

from launch.run.data import conversion
from tests.tiny import config as tiny_config


def test_a_size_and_a_scale_at_once_are_refused():
    config = tiny_config("maa")
    config.data.scale = 0.5
    with pytest.raises(ValueError, match="data.size = 32 with data.scale = 0.5"):
        conversion(config)
