"""What became of an image in the two stages, by what is known of it."""

import pytest

from launch.page.system_page import OUTCOMES
from launch.system.outcomes import outcome_of


@pytest.mark.parametrize(
    "event, surface, true, defective, outcome",
    [
        ("passed", "a", "new", 0, "missed unseen"),
        ("defect", "a", "new", 1, "missed unseen"),
        ("unseen", None, "new", 1, "alarm"),
        ("unseen", None, "a", 1, "alarm on seen"),
        ("passed", "b", "a", 0, "wrongly routed"),
        ("passed", "a", "a", 1, "missed defect"),
        ("defect", "a", "a", 0, "false alarm"),
        ("defect", "a", None, 0, "false alarm"),
        ("defect", "a", "a", 1, "defect"),
        ("passed", "a", "a", None, "passed"),
        ("unseen", None, None, None, "alarm"),
        ("error", None, "new", 1, "error"),
    ],
)
def test_an_event_is_judged_by_what_is_known(event, surface, true, defective, outcome):
    row = {"event": event, "surface": surface, "true_surface": true, "defective": defective}
    assert outcome_of(row, ["new"]) == outcome and outcome in OUTCOMES
    known = {name: value for name, value in row.items() if value is not None or name == "surface"}
    assert outcome_of(known, ["new"]) == outcome
