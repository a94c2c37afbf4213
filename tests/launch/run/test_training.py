"""A run that tells kinds of defect apart: they are found in the data, kept beside the weights, and read back."""

import json

import numpy as np
import pytest

from launch import evaluate, train
from launch.run.data import open_data
from launch.run.evaluation import evaluation_of
from launch.run.prediction import predictor_of
from launch.run.trained import load_run
from tests import tiny
from tests.launch.small_runs import result_of

OPTIONS = ["surfaces=(4,9)", "size=64", "train=8", "train_defective=5", "test_good=2", "test_defective=3"]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """The folder of a run that tells two kinds apart."""
    workdir = tmp_path_factory.mktemp("runs") / "kinds"
    words = ["--detector", "cnn_classifier", *tiny.words("cnn_classifier"), "train.supervision=kinds", "train.steps=10"]
    words += [f"data.options.{option}" for option in OPTIONS]
    train.main([*words, "threshold.image_rule=pauta", "--workdir", str(workdir)])
    return workdir


def test_the_kinds_are_those_of_the_data_and_stand_in_the_runs_facts(kinds):
    found = json.loads((kinds / "facts.json").read_text())["kinds"]
    records = open_data(load_run(kinds).config).converted.defective.records
    assert found == sorted({record.kind for record in records}) and len(found) == 2
    told = result_of(kinds)["kinds"]
    assert told["names"] == ["good", *found] and np.sum(told["confusion"]) == 10
    assert "Kinds told apart" in (kinds / "report.html").read_text()


def test_it_is_read_back_with_as_many_answers_and_evaluated_again(kinds, tmp_path):
    run = load_run(kinds)
    data = open_data(run.config)
    assert predictor_of(run, data)(data.converted.test[0].image).kinds.shape == (3,)
    evaluate.main([str(kinds), "--out", str(tmp_path / "again")])
    assert result_of(tmp_path / "again")["kinds"] == result_of(kinds)["kinds"]


def test_a_kind_that_only_the_test_has_is_refused(kinds, tmp_path):
    facts = json.loads((kinds / "facts.json").read_text())
    run = load_run(kinds)._replace(facts={"kinds": (facts["kinds"][0], "dent")})
    data = open_data(run.config)
    with pytest.raises(ValueError, match=f"kind {facts['kinds'][1]!r} of a test image is not among those trained on"):
        evaluation_of(predictor_of(run, data), data, tmp_path)
