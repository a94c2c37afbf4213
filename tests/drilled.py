"""Further cases of a test that go with the drills: what the first ones hold, at another size or of another kind."""

import pytest


def drilled(*cases):
    """As cases of `pytest.mark.parametrize`, behind those of the fast suite."""
    several = ((case if isinstance(case, tuple) else (case,)) for case in cases)
    return [pytest.param(*case, marks=pytest.mark.drill) for case in several]
