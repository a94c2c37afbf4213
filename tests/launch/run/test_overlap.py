"""Images one after another: order, and what comes of one that fails."""

import pytest

from launch.run import overlap


def test_what_fails_together_is_tried_alone():
    calls = []

    def double(items):
        calls.append(list(items))
        if "bad" in items:
            raise ValueError("bad is no number")
        return [2 * item for item in items]

    first, wrong, last = overlap.together_or_alone(double, [1, "bad", 3])
    assert (first, last, str(wrong)) == (2, 6, "bad is no number")
    assert calls == [[1, "bad", 3], [1], ["bad"], [3]]
    assert overlap.together_or_alone(double, [1, 3]) == [2, 6]


def test_an_error_of_another_kind_is_raised():
    with pytest.raises(ZeroDivisionError):
        overlap.together_or_alone(lambda items: [1 / item for item in items], [0])


def test_results_keep_the_order_of_their_items():
    assert list(overlap.in_threads(lambda item: item**2, iter(range(20)))) == [item**2 for item in range(20)]
