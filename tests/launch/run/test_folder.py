"""Whose folder a run may take, and what is noticed of damage in it and of files that do not belong together."""

import pytest

from launch.command import configuration
from launch.run.folder import (
    CONFIG,
    COPY,
    IMAGES,
    PREDICTIONS,
    changed,
    open_workdir,
    read_config,
    read_result,
    training_command,
    write_config,
    write_result,
)
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


def test_a_lost_or_damaged_config_is_read_from_its_copy(tmp_path, capsys):
    kept = take(tmp_path)
    for damage in (b"", b'{"train": ', b"\xff\xfe", b"[3]", b'{"train": 3}', None):
        path = tmp_path / CONFIG
        path.unlink() if damage is None else path.write_bytes(damage)
        try:
            assert configuration.to_json(read_config(tmp_path)) == kept
            assert "its copy .config is used" in capsys.readouterr().err
        except ValueError as error:  # It can be read, and says other things.
            assert f"To undo that, delete it, and its copy is used: rm {path}" in str(error)
    write_config(tmp_path, tiny_config("renet_d"))
    (tmp_path / COPY).write_bytes(b"\xff")
    assert configuration.to_json(read_config(tmp_path)) == kept


def test_a_changed_config_is_refused_with_the_field_and_the_remedy(tmp_path):
    kept = take(tmp_path)
    (tmp_path / CONFIG).write_text(kept.replace('"box": 5', '"box": 4'))
    with pytest.raises(ValueError, match=r"settings.box = 5 there, 4 here\)\. To undo that, delete it.*: rm "):
        read_config(tmp_path)
    (tmp_path / CONFIG).unlink()
    assert configuration.to_json(read_config(tmp_path)) == kept


def evaluated(tmp_path):
    """A folder of files that belong to one evaluation."""
    take(tmp_path)
    (tmp_path / IMAGES).mkdir()
    (tmp_path / IMAGES / "000.npz").write_bytes(b"an image")
    (tmp_path / PREDICTIONS).write_text("id,score\n")
    return write_result(tmp_path, {"figures": {"image": {"auroc": 0.5, "ap": float("nan")}}})


def test_a_result_is_read_as_it_was_written_or_refused(tmp_path):
    written = evaluated(tmp_path)
    assert read_result(tmp_path) == written and written["figures"]["image"]["ap"] is None
    path = tmp_path / "result.json"
    whole = path.read_bytes()
    for damaged in (whole.replace(b"0.5", b"0.6"), whole[:-20], b"\xff" + whole, b"[]", b"3", b"null"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"result.json .*python -m launch.evaluate {tmp_path}, which writes it"):
            read_result(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"run python -m launch.evaluate {tmp_path}, which writes it"):
        read_result(tmp_path)


def test_files_of_another_evaluation_are_told_from_those_of_this_one(tmp_path):
    result = evaluated(tmp_path)
    assert changed(tmp_path, result) == [] == changed(tmp_path, {"figures": {}})
    (tmp_path / PREDICTIONS).write_text("id,score\na,1.0\n")
    (tmp_path / IMAGES / "000.npz").unlink()
    assert changed(tmp_path, result) == ["images/000.npz", "predictions.csv"]
    assert changed(tmp_path, result, only=(CONFIG,)) == []
    (tmp_path / CONFIG).write_text("{")
    assert changed(tmp_path, result, only=(CONFIG,)) == []  # Its copy is sound, and it is what is read.
    config = tiny_config("renet_d")
    config.threshold.sigma = 2.0
    write_config(tmp_path, config)
    assert changed(tmp_path, result, only=(CONFIG,)) == [CONFIG]


def test_what_a_killed_process_left_goes_with_the_next_start(tmp_path):
    (tmp_path / ".maps.gone" / "test").mkdir(parents=True)
    take(tmp_path)
    assert not list(tmp_path.glob(".maps.*"))


def test_a_run_of_a_preset_that_is_no_more_can_still_be_told_of(tmp_path):
    config = tiny_config("renet_d")
    config.preset = "gone"
    assert "with the fields of" in training_command(config, tmp_path / "a run")
