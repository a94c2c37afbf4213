"""A run read back: what it was told of its data, what it shares with others, and what is said of a damaged one."""

import json
import shutil

import numpy as np
import pytest

from jaxdefect import scoring
from launch.command import configuration
from launch.run.trained import load_run, make_detector, read_facts, settings_of, without_weights, write_facts
from tests.tiny import config as tiny_config


def test_a_run_of_another_version_says_so():
    config = tiny_config("renet_d")
    del config.settings.box
    with pytest.raises(ValueError, match="settings.box is missing for renet_d; a run of another version: train it"):
        make_detector(config)
    config = tiny_config("renet_d")
    with config.unlocked():
        config.settings.rate = 1.0
    with pytest.raises(ValueError, match="settings.rate is unknown for renet_d; a run of another version"):
        make_detector(config)


def test_what_a_detector_asks_for_by_name_comes_from_the_data_the_training_and_the_facts():
    config = tiny_config("sbad")
    settings = settings_of(config, {"kinds": ()})
    assert settings["steps"] == config.train.steps and settings["weights"] == ""
    assert settings["attributes"] == config.data.attributes.to_dict()
    config = tiny_config("resnet_classifier")
    config.weights = "/some/file.pth"
    assert settings_of(config, {"kinds": ("dent", "spot")})["kinds"] == ("dent", "spot")
    assert settings_of(config, {"kinds": ()})["weights"] == "/some/file.pth"
    assert settings_of(without_weights(config), {"kinds": ()})["weights"] == ""


def test_weights_for_a_detector_that_takes_none_are_refused():
    config = tiny_config("renet_d")
    config.weights = "resnet18.pth"
    with pytest.raises(ValueError, match="weights = resnet18.pth: renet_d has no backbone that takes weights"):
        make_detector(config)


def test_runs_that_differ_in_floats_share_one_program():
    made = []
    for alpha, rate in ((0.15, 1e-3), (0.9, 1e-2)):
        config = tiny_config("renet_d")
        config.settings.update(alpha=alpha, learning_rate=rate)
        made.append(make_detector(config))
    (one, floats), (other, others) = made
    assert one is other and floats["alpha"] == np.float32(0.15) and others["alpha"] == np.float32(0.9)
    config.settings.box = 9
    assert make_detector(config)[0] is not one


def test_such_runs_are_scored_by_one_compiled_program():
    image = np.zeros((1, 32, 32, 1), np.uint8)
    sizes = []
    for sigma in (3.0, 2.0, 1.0):
        config = tiny_config("phot")
        config.settings.sigma = sigma
        detector, floats = make_detector(config)
        scoring.detect(detector, detector.init(None, None, floats), image, threshold=1.0)
        sizes.append(scoring.detect._cache_size())
    assert sizes[0] == sizes[1] == sizes[2]


def test_facts_are_read_as_they_were_written(tmp_path):
    for facts in ({"kinds": ()}, {"kinds": ("dent", "spot")}):
        write_facts(tmp_path, facts)
        assert read_facts(tmp_path) == facts


@pytest.mark.parametrize("text", ["{", "[]", "3", "{}", '{"kinds": 3}', '{"kinds": "dent"}', '{"kinds": [1]}', None])
def test_damaged_facts_are_named_with_the_remedy(run, tmp_path, text):
    folder = tmp_path / "run"
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("checkpoints", "images"))
    path = folder / "facts.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(
        ValueError,
        match="facts.json cannot be read .*started again, makes it anew: python -m launch.train .* --workdir",
    ):
        load_run(folder)


def test_a_run_of_an_older_config_is_refused_in_one_sentence(run, tmp_path):
    fields = json.loads((run / "config.json").read_text())
    fields["train"]["pairs"] = fields["train"].pop("paired_images")
    (tmp_path / "config.json").write_text(json.dumps(fields))
    said = r"config.json is a config of an older version \(train.pairs is called train.paired_images now\): train again"
    with pytest.raises(ValueError, match=said) as error:
        load_run(tmp_path)
    assert "\n" not in str(error.value)


def test_a_run_that_was_never_trained_says_how(run, tmp_path):
    (tmp_path / "config.json").write_text(configuration.to_json(tiny_config("renet_d")))
    with pytest.raises(
        FileNotFoundError, match="has no trained detector yet; finish it with: python -m launch.train .* --workdir"
    ):
        load_run(tmp_path)
