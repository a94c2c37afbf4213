"""A page as one HTML file: template, styles, script and data inside, and a policy that forbids the rest.

Every name is escaped. Charts are drawn as SVG by the page's own scripts and not with a charting library: their colours
follow the reader's light or dark mode and the printer, the slider under a histogram lies exactly on its axis, and a
sweep of a hundred runs does not carry a hundred copies of a library of 5 MB.
"""

import base64
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

HERE = Path(__file__).parent


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
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"figure": figure, "number": number, **(filters or {})}
    style, script = (
        "\n".join((HERE / name).read_text(encoding="utf-8") for name in names) for names in (styles, scripts)
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template(template)
    return page.render(**content, style=Markup(style), script=Markup(script), digest=digest)


def known(value: Any) -> bool:
    """Whether there is a number to show."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def figure(value: Any, digits: int = 3) -> str:
    """A figure in [0, 1] as "0.912"; an undefined one as a dash."""
    return f"{value:.{digits}f}" if known(value) else "–"


def number(value: Any) -> str:
    """A score or threshold with four significant digits; an undefined one as a dash."""
    return f"{value:.4g}" if known(value) else "–"


def as_json(value: Any) -> Markup:
    """JSON that may stand inside <script>: without "<" it cannot end. What is not finite is null."""

    def finite(item: Any) -> Any:
        if isinstance(item, dict):
            return {name: finite(entry) for name, entry in item.items()}
        if isinstance(item, (list, tuple)):
            return [finite(entry) for entry in item]
        return None if isinstance(item, float) and not math.isfinite(item) else item

    text = json.dumps(finite(value), allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
