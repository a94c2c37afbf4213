"""A page as one HTML file: template, styles, script and data inside, and a policy that forbids the rest.

Every name is escaped, and no sign in it turns the reading direction.
Charts are drawn as SVG by the page's own scripts and not with a charting library: their colours
follow the reader's light or dark mode and the printer, the slider under a histogram lies exactly on its axis, and a
sweep of a hundred runs does not carry a hundred copies of a library of 5 MB.
"""

import base64
import datetime
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from data_pipeline.names import printable

STATIC = Path(__file__).with_name("static")  # templates, styles, scripts


def render(
    template: str,
    content: dict[str, Any],
    *,
    styles: Sequence[str],
    scripts: Sequence[str],
    filters: dict[str, Callable] | None = None,
) -> str:
    """The template as HTML; styles and scripts are files beside it, joined in order, and no other script may run.

    A template finds them as `style`, `script` and, for its policy, `digest` (the SHA-256 of the script).
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(STATIC), autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=shown
    )
    environment.filters |= {"figure": figure, "number": number, "pairs": as_pairs, "with_unit": with_unit, "day": day}
    environment.filters |= filters or {}
    style, script = (
        "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names) for names in (styles, scripts)
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template(template)
    return page.render(**content, style=Markup(style), script=Markup(script), digest=digest)


def shown(value: Any) -> Any:
    """A text of which nothing but line breaks steers a reader; anything else as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "\n".join(map(printable, value.split("\n")))


def is_number(value: Any) -> bool:
    """Whether there is a number to show."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def figure(value: Any, digits: int = 3) -> str:
    """A figure in [0, 1] as "0.912"; an undefined one as a dash."""
    return f"{value:.{digits}f}" if is_number(value) else "–"


def number(value: Any) -> str:
    """A score or threshold with four significant digits; an undefined one as a dash."""
    return f"{value:.4g}" if is_number(value) else "–"


def day(date: Any, *, time: bool = False) -> str:
    """An ISO date as "22 November 2026" or "22 November 2026, 09:12 UTC"; the text itself where it is none."""
    try:
        moment = datetime.datetime.fromisoformat(str(date))
    except ValueError:
        return str(date)
    return f"{moment.day} {moment:%B %Y}" + (f", {moment:%H:%M} UTC" if time else "")


def as_pairs(settings: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as [("optimizer.name", "adam"), ...]; what is not set is a dash."""
    if isinstance(settings, dict) and settings:
        named = [(f"{prefix}.{name}" if prefix else name, value) for name, value in settings.items()]
        return [pair for name, value in named for pair in as_pairs(value, name)]
    if settings in (None, "", {}):
        return [(prefix, "–")] if prefix else []
    return [(prefix, settings if isinstance(settings, str) else json.dumps(settings))]


def with_unit(timings: dict) -> list[tuple[str, str]]:
    """{"train_s": 41.2, "steps_per_s": 9.5} as [("train", "41.2 s"), ("steps per s", "9.5")]."""
    pairs = []
    for name, value in timings.items():
        unit = next((end for end in ("_ms_per_image", "_s_per_image", "_ms", "_s") if name.endswith(end)), "")
        unit = "" if name.endswith("_per_s") else unit
        pairs.append((name.removesuffix(unit).replace("_", " "), f"{number(value)}{unit.replace('_', ' ')}"))
    return pairs


def as_json(value: Any) -> Markup:
    """JSON that may stand inside <script>: without "<" it cannot end. What is not finite is null."""

    def finite(item: Any) -> Any:
        if isinstance(item, dict):
            return {shown(name): finite(entry) for name, entry in item.items()}
        if isinstance(item, (list, tuple)):
            return [finite(entry) for entry in item]
        return None if isinstance(item, float) and not math.isfinite(item) else shown(item)

    text = json.dumps(finite(value), allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
