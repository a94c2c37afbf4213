"""What pruning leaves: a smaller config, the facts of the run, and the steps of the training that follows."""

from types import SimpleNamespace

import pytest

from jaxdefect.pruning import structured
from launch.run import pruning
from launch.run.trained import Run, settings_of
from tests.tiny import config as tiny_config


@pytest.fixture
def pruned(monkeypatch):
    """(run, what it was pruned to), where planning and cutting, which are tested by themselves, are made up."""
    planned = lambda make, settings, batch, keep: SimpleNamespace(
        settings=settings | {"widths": (1, 2, 2, 4)}, skipped={"decision": "no width"}
    )
    monkeypatch.setattr(structured, "plan", planned)
    monkeypatch.setattr(structured, "prune", lambda planned, make, state, batch, **how: {"cut": state})
    run = Run(tiny_config("segdec"), None, None, {}, {"kinds": ()})
    return run, pruning.prune(run, SimpleNamespace(state=3.0), keep=0.5, rank="magnitude", steps=7)


def test_what_follows_the_steps_follows_those_of_the_fine_tuning(pruned):
    run, small = pruned
    assert small.run.config.train.steps == 7 and run.config.train.steps != 7
    assert settings_of(small.run.config, small.run.facts)["steps"] == 7


def test_the_smaller_run_has_a_config_of_its_own_widths_and_the_facts_of_the_run(pruned):
    run, small = pruned
    assert small.widths == {"widths": ((2, 4, 4, 8), (1, 2, 2, 4))} and small.skipped == {"decision": "no width"}
    assert small.run.config.settings.widths == (1, 2, 2, 4) and run.config.settings.widths == (2, 4, 4, 8)
    assert small.run.facts == run.facts and small.run.state.state == {"cut": 3.0}
