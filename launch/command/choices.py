"""What a user may choose from: detectors, presets, datasets, sweeps, fields. Nothing slow is imported to tell."""

import ast
import importlib
import importlib.util
import pkgutil
from pathlib import Path

import configs
from configs import base, sweeps


def detectors() -> list[str]:
    """The files of jaxdefect/detectors."""
    folder = Path(importlib.util.find_spec("jaxdefect").origin).parent / "detectors"
    return sorted(module.name for module in pkgutil.iter_modules([str(folder)]))


def config(detector: str):
    """The module of a detector's config."""
    return importlib.import_module(f"{configs.__name__}.{detector}")


def presets(detector: str) -> list[str]:
    """The presets of a detector, the default one first; none of what is no detector."""
    return list(config(detector).PRESETS) if detector in detectors() else []


def datasets() -> list[str]:
    """The files of data_pipeline/layouts."""
    return [name for name, _ in dataset_lines()]


def dataset_lines() -> list[tuple[str, str]]:
    """Each dataset, and what it is."""
    return described(Path(importlib.util.find_spec("data_pipeline").origin).parent / "layouts")


def sweep_names() -> list[str]:
    """The files of configs/sweeps."""
    return [name for name, _ in sweep_lines()]


def sweep_lines() -> list[tuple[str, str]]:
    """Each sweep, and what it asks."""
    return described(Path(sweeps.__file__).parent)


def described(folder: Path) -> list[tuple[str, str]]:
    """Each module of a folder and the first line of its docstring. None is imported."""
    names = sorted(module.name for module in pkgutil.iter_modules([str(folder)]) if not module.ispkg)
    text = lambda name: ast.get_docstring(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return [(name, text(name).partition("\n")[0]) for name in names]


def fields(detector: str) -> list[str]:
    """The fields of a detector's config."""
    own = config(detector).SETTINGS if detector in detectors() else {}
    return [
        *(field for field in base.RUN if field not in ("detector", "preset")),
        *(f"settings.{name}" for name in own),
    ]
