"""Starts of a system that failed. A trained system as a whole: tests/launch/test_two_stage.py."""

import pytest

from launch import two_stage
from launch.system import training
from tests import tiny

SMALL = [f"surfaces.{word}" for word in tiny.words("sbad")]


def test_a_start_with_wrong_weights_leaves_nothing_and_blocks_no_other(tmp_path, monkeypatch):
    (tmp_path / "wrong.h5").write_text("no weights")
    told = [str(tmp_path / "system"), *SMALL]
    with pytest.raises(ValueError, match="wrong.h5 is no sound .h5 file of weights"):
        two_stage.main([*told, "surfaces.settings.backbone=squeezenet", "--weights", str(tmp_path / "wrong.h5")])
    assert not (tmp_path / "system").exists()

    asked = []
    (tmp_path / "system" / "surfaces").mkdir(parents=True)
    (tmp_path / "system" / "surfaces" / "config.json").write_text("{}")  # As a start that was killed leaves it.
    monkeypatch.setattr(training, "train", lambda config, folder: asked.append(folder.name))
    training.train_run(training.surfaces_config(two_stage.parser().parse_args([*told, "--weights", "random"])),
                       tmp_path / "system" / "surfaces")  # fmt: skip
    assert asked == ["surfaces"]
