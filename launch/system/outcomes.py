"""What became of an image in the two stages, by name."""

from collections.abc import Sequence
from typing import Any


def outcome_of(event: dict[str, Any], unseen: Sequence[str]) -> str:
    """What went wrong with the image of an event, as far as the truth is known, or else what was decided.

    One of: error, alarm, alarm on seen, missed unseen, wrongly routed, missed defect, false alarm, defect, passed.
    """
    name, true, defective = event["event"], event.get("true_surface"), event.get("defective")
    if name == "error":
        return "error"
    if name == "unseen":
        return "alarm on seen" if true is not None and true not in unseen else "alarm"
    if true in unseen:
        return "missed unseen"
    if true is not None and event["surface"] != true:
        return "wrongly routed"
    mistakes = {("passed", 1): "missed defect", ("defect", 0): "false alarm"}
    return mistakes.get((name, defective), name)
