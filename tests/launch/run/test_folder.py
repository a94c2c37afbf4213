"""Whose folder a run may take: its own, and one in which nothing was learned."""

import pytest

from launch.run.folder import open_workdir
from tests.tiny import config as tiny_config


def take(workdir, **train):
    config = tiny_config("renet_d")
    config.train.update(train)
    with open_workdir(config, workdir):
        return (workdir / "config.json").read_text()


def test_a_start_that_failed_before_it_learned_anything_blocks_no_other(tmp_path):
    take(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    assert '"batch": 7' in take(tmp_path, batch=7)


@pytest.mark.parametrize("learned", ["checkpoints/5", "calibrated/5"])
def test_what_was_learned_is_never_taken_by_another_config(tmp_path, learned):
    kept = take(tmp_path)
    (tmp_path / learned).mkdir(parents=True)
    with pytest.raises(ValueError, match="holds a run of another config .*batch"):
        take(tmp_path, batch=7)
    assert take(tmp_path) == kept
