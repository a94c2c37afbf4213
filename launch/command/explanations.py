"""What each field of a config means: the comments of the files in configs/, which say it once."""

import inspect
import io
import tokenize
from types import ModuleType

from configs import base
from launch.command import choices


def of(detector: str) -> dict[str, str]:
    """{field: its explanation} of a detector's config, where there is one."""
    settings = comments(choices.config(detector), "SETTINGS")
    return comments(base, "RUN") | {f"settings.{name}": text for name, text in settings.items()}


def comments(module: ModuleType, table: str) -> dict[str, str]:
    """{key: comment} of a table `TABLE = {...}` of a module: lines above a key, and what stands behind it."""
    found: dict[str, list[str]] = {}
    key, above, depth, inside = "", [], 0, False
    tokens = list(tokenize.generate_tokens(io.StringIO(inspect.getsource(module)).readline))
    for place, token in enumerate(tokens):
        if token.type == tokenize.NAME and token.string == table and token.start[1] == 0:
            inside = True
        if not inside:
            continue
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            if depth == 0 and token.string == "}":
                break
        elif token.type == tokenize.COMMENT and depth:
            text = token.string.lstrip("# ")
            if token.line.lstrip().startswith("#"):
                above.append(text)
            elif key and text != "fmt: skip":
                found[key].append(text)
        elif token.type == tokenize.STRING and depth == 1 and tokens[place + 1].string == ":":
            key = token.string.strip("\"'")
            found[key], above = above, []
    return {name: " ".join(lines) for name, lines in found.items() if lines}
