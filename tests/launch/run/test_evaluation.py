"""What an evaluation warns of."""

import json

import pytest

from launch.run.evaluation import collapse


@pytest.mark.parametrize("spread, warned", [(0.01, True), (0.5, False), (None, False)])
def test_a_collapsed_generator_is_reported(spread, warned, tmp_path):
    rows = [{"step": 5, "loss": 1.0, "spread": 0.9}, {"step": 10, "loss": 0.5, "spread": spread}]
    rows = [{name: value for name, value in row.items() if spread is not None or name != "spread"} for row in rows]
    (tmp_path / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert bool(collapse(tmp_path)) == warned
