"""One file per dataset, found by its file name. Each exports

    records(root: Path, *, option=default, ...) -> Iterator[Record]

with root=None as default where the images are generated. A module whose images are generated names the version of
its generator in VERSION, so that prepared data is not mistaken for what newer code would draw.
"""

import difflib
import importlib
import inspect
import pkgutil
from types import ModuleType


def names() -> list[str]:
    """The datasets there are, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> ModuleType:
    """The module of a dataset; ValueError with the nearest name where there is none."""
    if name not in names():
        raise ValueError(f"unknown dataset {name!r}{nearest(name, names())}")
    return importlib.import_module(f"{__name__}.{name}")


def options(layout: ModuleType) -> dict[str, object]:
    """The options of a layout's records() with their defaults."""
    parameters = inspect.signature(layout.records).parameters.values()
    return {entry.name: entry.default for entry in parameters if entry.kind is inspect.Parameter.KEYWORD_ONLY}


def needs_folder(layout: ModuleType) -> bool:
    """Whether the layout reads a folder (rather than generating its images)."""
    return inspect.signature(layout.records).parameters["root"].default is inspect.Parameter.empty


def nearest(name: str, names: list[str]) -> str:
    """The end of an error about an unknown name: the nearest known one, and all of them."""
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{hint} known: {', '.join(names) or 'none'}"
