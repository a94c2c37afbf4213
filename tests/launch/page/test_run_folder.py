"""What the pages read of a run's folder: the order of its images, its command, its history."""

import json
import math
import shlex

import numpy as np
import pytest

from launch.command import arguments
from launch.command import configuration as configs
from launch.command.parser import config_parser
from launch.page import run_folder as report_run
from launch.page import run_page
from tests.tiny import config as tiny_config


def test_misses_lead_then_false_alarms_then_the_rest_by_score():
    def row(id, label, score):
        return report_run.Prediction(id, "", "", label, score, 0.5, int(score > 0.5), None, None, None)

    rows = [row("passed", 0, 0.1), row("far miss", 1, 0.1), row("alarm", 0, 0.6), row("found", 1, 0.9)]
    rows += [row("near miss", 1, 0.4), row("loud alarm", 0, 0.8), row("barely found", 1, 0.55)]
    order = [rows[place].id for place in report_run.worst_first(rows)]
    assert order == ["far miss", "near miss", "loud alarm", "alarm", "found", "barely found", "passed"]


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["train.steps=7", "data.scale=0.5", "settings.widths=4,6,8"],
        ["data.options.surfaces=(1, 2)", "train.feed=stream"],
    ],
)
def test_the_command_on_the_page_makes_the_same_config(tmp_path, overrides):
    config = tiny_config("renet_d")
    config.data.root = "/images of mine/it's"
    configs.override(config, overrides)
    (tmp_path / "config.json").write_text(configs.to_json(config))
    words = shlex.split(report_run.settings(tmp_path)[1])
    assert words[:3] == ["python", "-m", "launch.train"]
    again = arguments.from_arguments(config_parser("").parse_args(words[3:]))
    assert again.to_dict() == config.to_dict()


def test_a_config_of_nobody_gives_no_command(tmp_path):
    assert report_run.settings(tmp_path)[:2] == ({}, None)
    for text in ('{"detector": "gone", "preset": ""}', "{}", "{", "[]"):
        (tmp_path / "config.json").write_text(text)
        assert report_run.settings(tmp_path)[1] is None


def test_a_killed_run_still_has_a_loss_curve(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text('{"step": 0, "loss": 2.0}\n{"step": 10, "loss": NaN, "lr": 0.1}\n{"step": 20, "lo')
    history, unreadable = report_run.read_columns(path)
    assert unreadable == 1 and history["step"] == [0, 10] and history["lr"] == [None, 0.1]
    assert math.isnan(history["loss"][1])
    assert json.loads(run_page.as_json(history)) == {"step": [0, 10], "loss": [2.0, None], "lr": [None, 0.1]}


def test_long_histories_are_thinned(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text("".join(f'{{"step": {step}, "loss": 1.0}}\n' for step in range(report_run.CURVE_POINTS * 3 + 1)))
    steps = report_run.read_columns(path)[0]["step"]
    assert report_run.CURVE_POINTS / 2 <= len(steps) <= report_run.CURVE_POINTS and len(set(np.diff(steps))) == 1


def test_settings_that_the_preset_does_not_have_are_told_with_its_values(tmp_path):
    config = configs.get("renet_d", "paper")
    configs.override(config, ["train.steps=7", "data.options.size=64"])
    (tmp_path / "config.json").write_text(configs.to_json(config))
    steps = configs.get("renet_d", "paper").train.steps
    assert report_run.changed_settings(tmp_path) == {"train.steps": steps, "data.options.size": None}
    (tmp_path / "config.json").write_text('{"detector": "gone"}')
    assert report_run.changed_settings(tmp_path) == {} == report_run.changed_settings(tmp_path / "missing")


def test_a_run_knows_its_sweep_by_where_it_lies(tmp_path):
    run = tmp_path / "runs" / "a"
    run.mkdir(parents=True)
    assert report_run.sweep_of(run) is None
    for text, title in (('{"title": "A sweep"}', "A sweep"), ("{", tmp_path.name)):
        (tmp_path / "sweep.json").write_text(text)
        assert report_run.sweep_of(run) == (title, tmp_path / "sweep.html")
    assert report_run.sweep_of(tmp_path / "a") is None
