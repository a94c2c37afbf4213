"""Whether a value is one that a field may have (configs/limits.py), before anything is started."""

import math
import re
from typing import Any

from configs.limits import LIMITS
from jaxdefect.detector import nearest


def check(field: str, value: Any, present: Any) -> None:
    """Raises ValueError for a value, or a part of one, outside a field's range or choices. present: a fine one."""
    limit = LIMITS.get(field)
    for part in value if isinstance(value, tuple) else (value,):
        if isinstance(limit, tuple) and part not in limit:
            raise ValueError(f"{field}={part} is not known{nearest(str(part), list(map(str, limit)))}")
        if isinstance(limit, str) and not isinstance(part, (str, bool)) and not within(limit, part):
            raise ValueError(f"{field}={shown(value)} is out of its range; give {words(limit, value)}, "
                             f"such as {field}={shown(present)}")  # fmt: skip


def ends(interval: str) -> tuple[bool, float, float, bool]:
    """Of "[0, 1)": whether the low end belongs to it, the ends, and whether the high end does."""
    left, low, high, right = re.fullmatch(r"([\[(])(\S+), (\S+)([\])])", interval).groups()
    return left == "[", float(low), float(high), right == "]"


def within(interval: str, value: float) -> bool:
    """Whether a number lies in an interval; NaN lies in none."""
    closed_low, low, high, closed_high = ends(interval)
    return (low <= value if closed_low else low < value) and (value <= high if closed_high else value < high)


def words(interval: str, value: Any) -> str:
    """ "[0, inf)" as "0 or more"."""
    closed_low, low, high, closed_high = ends(interval)
    least = f"{low:g} or more" if closed_low else f"more than {low:g}"
    most = f"{high:.10g} at most" if closed_high else f"less than {high:g}"
    of_each = " of each" if isinstance(value, tuple) else ""
    return " and ".join(text for text, end in ((least, low), (most, high)) if math.isfinite(end)) + of_each


def shown(value: Any) -> str:
    """A value as it is typed."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
