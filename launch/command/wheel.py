"""How a wheel is built: setuptools' build_py, and all packages moved into jaxdefect.

A checkout has launch/, configs/ and data_pipeline/ beside jaxdefect/. Installed under these names they would shadow a
user's own folders, or be shadowed by them: in a wheel they are jaxdefect._launch, and so on, and every import says so.
"""

import re
import shutil
from pathlib import Path

from setuptools.command import build_py as setuptools_build_py

MOVED = ("launch", "configs", "data_pipeline")
NAMES = "|".join(MOVED)
RULES = (  # what stands in a source, and in the wheel
    (rf"^(\s*from )({NAMES})(?=[. ])", r"\1jaxdefect._\2"),
    (rf"^(\s*import )({NAMES})$", r"\1jaxdefect._\2 as \2"),
    (rf"^(\s*import )({NAMES})(?=\.[\w.]+ as )", r"\1jaxdefect._\2"),
    (rf'((?:import_module|find_spec)\(f?")({NAMES})(?=[."])', r"\1jaxdefect._\2"),
)


def moved(source: str) -> str:
    """A module's text with its imports as they are in the wheel."""
    for rule, there in RULES:
        source = re.sub(rule, there, source, flags=re.MULTILINE)
    return source


class build_py(setuptools_build_py.build_py):
    """Builds into jaxdefect/ alone; an editable install stays as the checkout is."""

    def run(self) -> None:
        shutil.rmtree(Path(self.build_lib) / "jaxdefect", ignore_errors=True)  # Nothing of an earlier build.
        super().run()
        if self.editable_mode:
            return
        inside = Path(self.build_lib) / "jaxdefect"
        for name in MOVED:
            (Path(self.build_lib) / name).rename(inside / f"_{name}")
        for file in inside.rglob("*.py"):
            file.write_text(moved(file.read_text(encoding="utf-8")), encoding="utf-8")
