"""What a run says it will do."""

import re
from pathlib import Path

from launch.run.data import open_data
from launch.run.pipeline import announcement
from tests.tiny import config as tiny_config


def test_a_start_says_in_three_lines_what_will_be_done():
    config = tiny_config("renet_d")
    config.data.options.update(surfaces=(3,), size=64, train=5, test_good=3, test_defective=4)
    first, second, third = announcement(config, open_data(config), Path("runs/a"), followed=True)
    told, long = first.split("; ")
    assert re.sub(r"\d+ CPU cores", "CPU", told) == (
        "renet_d, preset tuned: 20 steps of 8 patches of 16 x 16 pixels, on CPU, into runs/a"
    )
    assert long == "how long they take is told once some are timed"
    assert second.startswith("synthetic: 4 good images to learn from, 1 held out for thresholds; the test: 3 good, 4 ")
    assert third == "seen at 64 x 64 pixels, in grey (data.channels=1: it is drawn in grey)"
    config.train.update(steps=0)
    assert "nothing is trained" in announcement(config, open_data(config), Path("runs/a"), followed=False)[0]
