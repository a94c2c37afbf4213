"""Timings are shown with their units."""

from launch.page import render


def test_timings_are_shown_with_their_units():
    timings = {"train_s": 4.25, "steps": 100, "steps_per_s": 9.5, "score_ms_per_image": 3.123456, "compile_s": None}
    expected = {
        "train": "4.25 s",
        "steps": "100",
        "steps per s": "9.5",
        "score": "3.123 ms per image",
        "compile": "– s",
    }
    assert dict(render.with_unit(timings)) == expected
