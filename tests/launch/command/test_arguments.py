"""The command line of a config: what it sets, and what it refuses of files that are missing or not asked for."""

from pathlib import Path

import pytest

from launch.command import arguments
from launch.command.parser import config_parser


def config_of(*words, **how):
    return arguments.from_arguments(config_parser("", **how).parse_intermixed_args(words))


def test_without_words_it_is_the_default_detector_with_its_first_preset():
    config = config_of()
    assert (config.detector, config.preset, config.data.name) == ("renet_d", "tuned", "synthetic")
    assert config_of(detector="dae").detector == "dae"


def test_words_and_fields_stand_in_any_order():
    config = config_of("train.steps=3", "--dataset", "mvtec", "settings.box=7", "--data", "images", "--preset", "wide")
    assert (config.preset, config.train.steps, config.settings.box) == ("wide", 3, 7)
    assert (config.data.name, config.data.root) == ("mvtec", str(Path("images").resolve()))


def test_a_folder_comes_first_where_a_command_has_one():
    parsed = config_parser("", folder="of the system").parse_intermixed_args(["here", "train.steps=3"])
    assert parsed.folder == Path("here") and parsed.overrides == ["train.steps=3"]


def test_a_file_of_weights_is_kept_by_its_whole_path(tmp_path, monkeypatch):
    (tmp_path / "net.h5").touch()
    monkeypatch.chdir(tmp_path)
    assert config_of("--detector", "padim", "--weights", "net.h5").weights == str(tmp_path / "net.h5")


def test_random_weights_are_taken_where_they_are_meant(monkeypatch):
    monkeypatch.delenv("JAXDEFECT_WEIGHTS", raising=False)
    assert config_of("--detector", "padim", "--weights", "random").weights == "random"
    with pytest.raises(ValueError, match="padim looks through resnet18 .*docs/weights.md"):
        config_of("--detector", "padim", "--preset", "paper")


@pytest.mark.parametrize(
    "words, said",
    [
        (("--detector", "padim", "--weights", "gone.pth"), "--weights gone.pth: there is no such file; give a .safe"),
        (
            ("--detector", "padim", "--weights", "net.pth"),
            "net.pth: .pth files are pickles.*; give a .safetensors of the same network",
        ),
        (("--detector", "dae", "--weights", "net.h5"), "--weights net.h5: dae has no backbone that takes weights"),
        (("--detector", "dae", "--attributes", "a.csv"), "--attributes a.csv: dae has no attributes of surfaces"),
    ],
)
def test_what_is_not_there_or_not_taken_is_refused(words, said, tmp_path, monkeypatch):
    (tmp_path / "net.pth").touch()
    (tmp_path / "net.h5").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=said):
        config_of(*words)


def test_a_table_of_attributes_takes_the_place_of_the_configs(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("class,dark,round\nA,1,0\nB,0,0.5\n")
    config = config_of("--detector", "sbad", "--weights", "random", "--attributes", str(table))
    assert config.data.attributes.to_dict() == {"A": (1.0, 0.0), "B": (0.0, 0.5)}
    assert config.data.attribute_names == ("dark", "round")
