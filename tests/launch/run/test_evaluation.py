"""What an evaluation warns of, and which images it shows."""

import json

import pytest

from launch.run.evaluation import collapse_warning, worst


@pytest.mark.parametrize("spread, warned", [(0.01, True), (0.5, False), (None, False)])
def test_a_collapsed_generator_is_reported(spread, warned, tmp_path):
    rows = [{"step": 5, "loss": 1.0, "spread": 0.9}, {"step": 10, "loss": 0.5, "spread": spread}]
    rows = [{name: value for name, value in row.items() if spread is not None or name != "spread"} for row in rows]
    (tmp_path / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert bool(collapse_warning(tmp_path)) == warned


def test_the_worst_mistakes_are_shown_first_and_room_is_left_for_what_is_right():
    row = lambda label, score: {"label": label, "score": score, "threshold": 0.5, "predicted": int(score > 0.5)}
    rows = [row(0, 0.1), row(1, 0.4), row(1, 0.0), row(0, 0.6), row(1, 0.9), row(0, 0.2)]
    assert worst(rows, 3) == [2, 1, 4] and worst(rows, 6) == [2, 1, 3, 4, 5, 0]
    assert worst([row(1, score / 10) for score in range(4)], 3) == [0, 1, 2]
