"""The command that prunes a run, and what it refuses."""

import json

import numpy as np
import pytest

from launch import prune, train
from launch.run.trained import load_run
from tests import tiny


@pytest.mark.drill
def test_a_run_becomes_a_smaller_one_and_stays_as_it_is(tmp_path):
    options = ["data.options.size=64", "data.options.train=6", "settings.width=4", "train.steps=10"]
    words = ["--detector", "dae", *tiny.words("dae"), *options]
    train.main([*words, "--workdir", str(tmp_path / "run")])
    files = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    result = prune.main([str(tmp_path / "run"), "--steps", "5"])
    new = tmp_path / "run-pruned-50"
    told = json.loads((new / "pruned.json").read_text())
    assert told["widths"] == {"width": [4, 2]} and told["skipped"] == {}
    assert {path: path.read_bytes() for path in files} == files
    costs = result["costs"]
    assert 3 < costs["before"]["weights"] / costs["tuned"]["weights"] < 4.1 and costs["tuned"]["ms"] > 0
    assert costs["tuned"]["gflop"] < costs["before"]["gflop"]
    assert all(0 <= stage["image auroc"] <= 1 for stage in result["figures"].values())
    run = load_run(new)
    assert run.config.settings.width == 2 and run.config.train.steps == 5 and (new / "report.html").is_file()
    assert all(np.isfinite(leaf).all() for leaf in run.state.state.params["Encoder_0"]["Conv_0"].values())


def test_what_is_no_run_or_no_share_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no run: it has no config.json"):
        prune.main([str(tmp_path / "none")])
    for keep in ("0", "1", "1.5", "nan"):
        with pytest.raises(ValueError, match="give the share of the channels that stay"):
            prune.main([str(tmp_path), "--keep", keep])
    assert not list(tmp_path.iterdir())
