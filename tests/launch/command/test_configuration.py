"""Fields of a config: set by name and type, renamed ones answered with the new name, read back as they were written."""

import json

import pytest

import jaxdefect
from configs import base
from launch.command import arguments, configuration
from launch.command.configuration import RENAMED, assign, differing, get, override, read, to_json
from launch.command.parser import config_parser

OLD_FIELDS = [(old, new) for old, new in RENAMED.items() if new in base.RUN and "=" not in old]


def test_fields_are_set_by_name_with_the_type_they_have():
    config = get("renet_d", "paper")
    override(config, ["train.steps=7", "settings.alpha=1", "settings.widths=4,6,8", "score.mode=tiled"])
    override(config, ["report.keep_maps=true", "settings.losses=mse,", "data.options.size=64"])
    assert (config.train.steps, config.settings.alpha, config.settings.widths) == (7, 1.0, (4, 6, 8))
    assert config.report.keep_maps is True and config.settings.losses == ("mse",) and config.data.options.size == 64


def test_another_dataset_leaves_the_options_of_the_last_one_behind():
    config = get("segdec", "small")
    assert config.data.options
    override(config, ["data.options.category=screw", "data.name=mvtec"])
    assert config.data.options.to_dict() == {"category": "screw"}


def test_a_table_is_set_as_a_whole():
    config = get("sbad")
    override(config, ["data.attributes={'a': (1.0, 0.0), 'b': (0.0, 1.0)}", "data.attribute_names=dark,round"])
    assert list(config.data.attributes) == ["a", "b"] and config.data.attribute_names == ("dark", "round")
    with pytest.raises(ValueError, match="data.attributes=7 is no table"):
        override(config, ["data.attributes=7"])


@pytest.mark.parametrize("old, new", OLD_FIELDS)
def test_an_old_name_is_answered_with_the_new_one(old, new):
    config = get("renet_d")
    with pytest.raises(ValueError) as error:
        override(config, [f"{old}=1"])
    assert str(error.value) == f"{old} is called {new} now"
    with pytest.raises(ValueError, match=f"{old} is called {new} now"):
        assign(config, {old: 1})


@pytest.mark.parametrize(
    "detector, pair, said",
    [
        ("faster_rcnn", "settings.found=3", "settings.found is called settings.max_detections now"),
        ("faster_rcnn", "settings.join=7", "settings.join is called data.join now"),
        ("sbad", "settings.steps=3", "settings.steps is called train.steps now"),
        ("sbad", "settings.mode=oracle", "settings.mode=oracle is called settings.mode=A data.show_unseen=True now"),
        ("padim", "settings.weights=a.pth", "settings.weights is called weights now"),
        ("padim", "settings.width=4", "settings.width is called settings.backbone_width now"),
        ("renet_d", "train.feed=resident", "train.feed=resident is called train.feed=in_memory now"),
    ],
)
def test_old_settings_and_values_are_answered_with_the_new_ones(detector, pair, said):
    with pytest.raises(ValueError) as error:
        override(get(detector), [pair])
    assert str(error.value) == said


def test_a_name_that_is_still_a_field_elsewhere_is_no_old_one():
    config = get("dae")
    override(config, ["settings.width=4"])
    assert config.settings.width == 4


@pytest.mark.parametrize("old", [old for old in RENAMED if "." not in old and old != "attribute_names"])
def test_an_old_detector_is_answered_with_words_that_work(old):
    with pytest.raises(ValueError, match=f"there is no detector {old!r} any more; give --detector") as error:
        get(old)
    words = str(error.value).split("; give ")[1].split()
    weights = ["--weights", "random"] if old == "tf_vaegan" else []
    config = arguments.from_arguments(config_parser("").parse_args([*words, *weights]))
    assert config.detector in jaxdefect.names() and config.preset == words[-1]


def test_a_config_comes_back_as_it_was_written(tmp_path):
    for name in jaxdefect.names():
        config = get(name)
        (tmp_path / "config.json").write_text(to_json(config))
        assert read(tmp_path / "config.json").to_dict() == config.to_dict()
        assert differing(read(tmp_path / "config.json"), config) == []


def test_a_field_that_came_later_stands_at_its_default(tmp_path):
    config = get("renet_d").to_dict()
    del config["data"]["join"], config["report"]["memory"], config["weights"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert differing(read(tmp_path / "config.json"), get("renet_d")) == []


@pytest.mark.parametrize("old, new", [pair for pair in OLD_FIELDS if not pair[0].startswith("settings.")])
def test_a_config_of_an_older_version_is_refused_in_one_sentence(old, new, tmp_path):
    fields = get("renet_d").to_dict()
    section, _, name = old.rpartition(".")
    (fields[section] if section else fields)[name] = 1
    path = tmp_path / "config.json"
    path.write_text(json.dumps(fields))
    with pytest.raises(ValueError) as error:
        read(path)
    said = f"{path} is a config of an older version ({old} is called {new} now): train again in a new folder"
    assert str(error.value) == said


def test_a_damaged_config_is_named_with_the_remedy(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json is not readable JSON .*restore it or train again"):
        read(tmp_path / "config.json")


def test_a_preset_written_out_as_overrides_is_the_preset():
    for name, preset in (("renet_d", "wide"), ("sbad", "self_trained"), ("segdec", "ksdd2")):
        config = get(name, preset)
        again = get(name)
        pairs = [
            configuration.word(field, value) for field, value in configuration.flat(config)
            if not field.startswith("data.attributes.") and field != "preset"
        ]  # fmt: skip
        override(again, pairs)
        assert again.to_dict() | {"preset": preset} == config.to_dict()
