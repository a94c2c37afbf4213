"""What a run would take is said before it is trained, and trains nothing."""

import pytest

from launch import train
from launch.run import resources
from launch.run.trained import load_run
from tests.launch.small_runs import SMALL, whole


def test_memory_is_planned_and_nothing_is_trained(tmp_path, capsys):
    train.main([*whole("dct"), "--memory", "--workdir", str(tmp_path / "run")])
    said = "".join(capsys.readouterr())
    assert "MB of a device: state" in said and not (tmp_path / "run").exists()


@pytest.mark.drill
def test_each_part_is_what_it_says(run):
    config = load_run(run).config
    plan = resources.plan_memory(config)
    images = 5 * 64 * 64 / 1e6  # uint8, grey; one of six is held out
    assert images <= plan["images"] < images + 0.001 and 0 < plan["state"] < 1
    assert plan["whole"] == plan["state"] + max(plan["images"] + plan["step"], plan["score"])
    config.train.batch *= 4
    assert resources.plan_memory(config)["step"] > 2 * plan["step"]


@pytest.mark.drill
@pytest.mark.parametrize("detector", ["renet_d", "dct"])
def test_a_trace_of_some_steps_is_written(detector, tmp_path):
    words = SMALL if detector == "renet_d" else whole("dct")
    train.main([*words, "--profile", str(tmp_path / "trace"), "--memory", "--workdir", str(tmp_path / "run")])
    assert list((tmp_path / "trace").rglob("perfetto_trace.json.gz")) and not (tmp_path / "run").exists()
