"""Which images an evaluation shows."""

from launch.run.evaluation import worst


def test_the_worst_mistakes_are_shown_first_and_room_is_left_for_what_is_right():
    row = lambda label, score: {"label": label, "score": score, "image_threshold": 0.5, "predicted": int(score > 0.5)}
    rows = [row(0, 0.1), row(1, 0.4), row(1, 0.0), row(0, 0.6), row(1, 0.9), row(0, 0.2)]
    assert worst(rows, 4) == [2, 3, 4, 5] and worst(rows, 6) == [2, 1, 3, 4, 0, 5]  # The good one nearest to it last.
    misses, alarms = [row(1, score / 100) for score in range(40)], [row(0, 0.51 + score / 100) for score in range(9)]
    many = misses + alarms + [row(1, 0.9)] * 8
    assert sum(not many[i]["label"] for i in worst(many, 24)) == 4
    assert worst([row(1, score / 10) for score in range(4)], 3) == [0, 1, 2]
