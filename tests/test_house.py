"""The rules of the house: where files stand, how long they are, what may import what. Each rule can be broken.

A rule is a function from the folder of a project to a list of what breaks it.
"""

import ast
import graphlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ml_collections import ConfigDict

ROOT = Path(__file__).parents[1]
PACKAGES = ("jaxdefect", "launch", "configs", "data_pipeline")
LONGEST = 300  # lines
MAY_NOT_IMPORT = {
    "jaxdefect": {"launch", "configs", "data_pipeline", "tensorflow", "PIL", "ml_collections"},
    "data_pipeline": {"jaxdefect", "launch", "configs"},
    "configs": {"jaxdefect", "launch", "data_pipeline"},
}
METHODS = "|".join({*dir(dict), *dir(ConfigDict)})  # which settings have of their own
SETTING = (
    re.compile(  # .settings["x"], .settings.get("x"), .settings.update({"x": 1}), .settings.update(x=1), .settings.x
        rf"""\.settings(?:\[\s*["']|\.\w+\(\s*\{{?\s*["']|\.update\(\s*(?=\w+\s*=)|\.(?!(?:{METHODS})\b))(\w+)"""
    )
)


def files(root: Path, *folders: str) -> list[Path]:
    """The Python files in these folders, relative to the root."""
    return sorted(path.relative_to(root) for folder in folders for path in (root / folder).rglob("*.py"))


def name_of(file: Path) -> str:
    """The name under which a file is imported."""
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(root: Path, file: Path) -> Iterator[str]:
    """The names of the modules that a file imports anywhere in it, `from a import b` as a.b if that is a module."""
    package = file.parent.parts
    for node in ast.walk(ast.parse((root / file).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*start, *filter(None, [node.module])])
            for alias in node.names:
                inner = root / module.replace(".", "/") / alias.name
                is_module = inner.with_suffix(".py").is_file() or (inner / "__init__.py").is_file()
                yield f"{module}.{alias.name}" if is_module else module


def imports(root: Path) -> dict[str, set[str]]:
    """{module: those of its imports that are modules of this project}."""
    named = {name_of(file): file for file in files(root, *PACKAGES)}
    return {name: {found for found in imported(root, file) if found in named} for name, file in named.items()}


def misplaced_tests(root: Path) -> list[str]:
    """Tests without a module at their place: test_X.py or test_X_aspect.py stands where X.py or the package X does."""
    wrong = []
    for file in files(root / "tests", *PACKAGES):
        if not file.name.startswith("test_"):
            continue
        words = file.stem.split("_")[1:]
        places = [root / file.parent / "_".join(words[:end]) for end in range(len(words), 0, -1)]
        if not any(place.with_suffix(".py").is_file() or (place / "__init__.py").is_file() for place in places):
            wrong.append(f"tests/{file}: there is no {file.parent}/{'_'.join(words)}.py")
    return wrong


def bad_commands(root: Path) -> list[str]:
    """Files directly in launch/ that do not run as commands, or that are imported."""
    commands = {name_of(file): file for file in files(root, "launch") if len(file.parts) == 2}
    commands.pop("launch", None)
    is_main = lambda node: isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
    mute = [f for f in commands.values() if not any(map(is_main, ast.parse((root / f).read_text()).body))]
    used = [(name, found) for name, all_found in imports(root).items() for found in sorted(all_found & set(commands))]
    return [f"{file} is no command" for file in mute] + [f"{name} imports the command {found}" for name, found in used]


def long_files(root: Path) -> list[str]:
    lengths = {file: len((root / file).read_text().splitlines()) for file in files(root, *PACKAGES, "tests")}
    return [f"{file} has {length} lines" for file, length in lengths.items() if length > LONGEST]


def forbidden_imports(root: Path) -> list[str]:
    """Imports across the borders of the packages."""
    return [
        f"{file} imports {found}"
        for package, forbidden in MAY_NOT_IMPORT.items()
        for file in files(root, package)
        for found in imported(root, file)
        if found.split(".")[0] in forbidden
    ]


def siblings(root: Path) -> list[str]:
    """Detectors that import one another."""
    folder = "jaxdefect/detectors"
    pairs = [(file, found) for file in files(root, folder) for found in imported(root, file)]
    return [f"{file} imports {found}" for file, found in pairs if found.startswith("jaxdefect.detectors.")]


def room(module: str) -> str:
    """The folder of a module in a room; modules directly in a package, such as commands, are by themselves."""
    return ".".join(module.split(".")[:2])


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The nodes along a circle, the first one again at its end, or none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1][::-1]
    return []


def circle_of_rooms(root: Path, package: str) -> list[str]:
    """The imports that lead from rooms of a package round to where they began."""
    edges: dict[tuple[str, str], str] = {}
    for name, found in imports(root).items():
        for other in found:
            if room(name) != room(other) and name.split(".")[0] == other.split(".")[0] == package:
                edges.setdefault((room(name), room(other)), f"{name} imports {other}")
    graph: dict[str, set[str]] = {}
    for one, other in edges:
        graph.setdefault(one, set()).add(other)
    round_trip = circle(graph)
    return [edges[pair] for pair in zip(round_trip, round_trip[1:], strict=False)]


def rooms_without_words(root: Path) -> list[str]:
    """Packages whose __init__.py does not say what is in them."""
    inits = [file for file in files(root, *PACKAGES) if file.name == "__init__.py"]
    homeless = {file.parent for file in files(root, *PACKAGES)} - {file.parent for file in inits}
    mute = [file for file in inits if not ast.get_docstring(ast.parse((root / file).read_text()))]
    return [f"{folder} has no __init__.py" for folder in sorted(homeless)] + [f"{file} says nothing" for file in mute]


def own_settings(root: Path) -> list[str]:
    """Where launch names a setting of a detector, and so has to know it; benchmarks race detectors and may."""
    texts = {file: (root / file).read_text() for file in files(root, "launch") if "benchmarks" not in file.parts}
    found = [(file, text, match) for file, text in texts.items() for match in SETTING.finditer(text)]
    line = lambda text, match: text.count("\n", 0, match.start()) + 1
    return [f"{file}:{line(text, match)} names settings.{match[1]}" for file, text, match in found]


def test_tests_stand_where_their_modules_do():
    assert misplaced_tests(ROOT) == []


def test_commands_run_and_nothing_imports_them():
    assert bad_commands(ROOT) == []


def test_no_file_is_too_long():
    assert long_files(ROOT) == []


def test_packages_keep_to_their_side():
    assert forbidden_imports(ROOT) == []


def test_no_detector_imports_another():
    assert siblings(ROOT) == []


def test_no_module_imports_itself_in_a_circle():
    assert circle(imports(ROOT)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_room_imports_itself_in_a_circle(package):
    assert circle_of_rooms(ROOT, package) == []


def test_every_room_says_what_is_in_it():
    assert rooms_without_words(ROOT) == []


def test_launch_names_no_setting_of_a_detector():
    assert own_settings(ROOT) == []


def build(root: Path, **texts: str) -> Path:
    """A made-up project; `a__b` is the file a/b.py, and every folder is a package."""
    for name, text in texts.items():
        file = root / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        for folder in file.relative_to(root).parents[:-1]:
            if not (root / folder / "__init__.py").exists():
                (root / folder / "__init__.py").write_text('"""Some."""\n')
    return root


MAIN = 'if __name__ == "__main__":\n    print()\n'


def test_a_test_without_a_module_is_found(tmp_path):
    build(tmp_path, jaxdefect__maps__boxes="", launch__train="", tests__contract__test_all="")
    build(
        tmp_path, tests__jaxdefect__maps__test_boxes="", tests__jaxdefect__test_maps="", tests__launch__test_train_x=""
    )
    assert misplaced_tests(tmp_path) == []
    build(tmp_path, tests__jaxdefect__test_boxes="", tests__launch__test_training="")
    assert misplaced_tests(tmp_path) == [
        "tests/jaxdefect/test_boxes.py: there is no jaxdefect/boxes.py",
        "tests/launch/test_training.py: there is no launch/training.py",
    ]


def test_a_command_that_is_imported_or_does_not_run_is_found(tmp_path):
    build(tmp_path, launch__train=MAIN, launch__run__loop="import numpy")
    assert bad_commands(tmp_path) == []
    build(tmp_path, launch__helper="", launch__run__loop="def run():\n    from launch import train")
    assert bad_commands(tmp_path) == [
        "launch/helper.py is no command",
        "launch.run.loop imports the command launch.train",
    ]


def test_a_long_file_is_found(tmp_path):
    build(tmp_path, jaxdefect__a="\n" * LONGEST, tests__test_a="\n" * LONGEST)
    assert long_files(tmp_path) == []
    build(tmp_path, jaxdefect__a="\n" * (LONGEST + 1), tests__test_a="\n" * (LONGEST + 1))
    assert long_files(tmp_path) == ["jaxdefect/a.py has 301 lines", "tests/test_a.py has 301 lines"]


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("jaxdefect__maps__a", "import PIL.Image", "jaxdefect/maps/a.py imports PIL.Image"),
        ("jaxdefect__a", "def f():\n    import tensorflow as tf", "jaxdefect/a.py imports tensorflow"),
        ("jaxdefect__a", "from launch.run import loop", "jaxdefect/a.py imports launch.run"),
        ("data_pipeline__a", "from jaxdefect import maps", "data_pipeline/a.py imports jaxdefect"),
        ("configs__sweeps__a", "from data_pipeline import load", "configs/sweeps/a.py imports data_pipeline"),
    ],
)
def test_an_import_across_a_border_is_found(tmp_path, file, text, found):
    build(tmp_path, launch__a="import PIL, jaxdefect, configs", configs__a="from configs import base")
    assert forbidden_imports(tmp_path) == []
    assert forbidden_imports(build(tmp_path, **{file: text})) == [found]


def test_a_detector_that_imports_another_is_found(tmp_path):
    build(tmp_path, jaxdefect__detectors__a="from jaxdefect.maps import b", jaxdefect__detectors__b="")
    assert siblings(tmp_path) == []
    build(tmp_path, jaxdefect__detectors__a="from jaxdefect.detectors import b")
    assert siblings(tmp_path) == ["jaxdefect/detectors/a.py imports jaxdefect.detectors.b"]


def test_circles_of_modules_and_of_rooms_are_found(tmp_path):
    build(tmp_path, jaxdefect__maps__a="from jaxdefect.networks import c", jaxdefect__networks__c="import jax",
          jaxdefect__networks__d="from jaxdefect import tool", jaxdefect__tool="")  # fmt: skip
    assert circle(imports(tmp_path)) == circle_of_rooms(tmp_path, "jaxdefect") == []
    build(tmp_path, jaxdefect__tool="import jaxdefect.maps.b", jaxdefect__maps__b="")
    assert circle(imports(tmp_path)) == []  # Of modules there is none, but of rooms:
    assert sorted(circle_of_rooms(tmp_path, "jaxdefect")) == [
        "jaxdefect.maps.a imports jaxdefect.networks.c", "jaxdefect.networks.d imports jaxdefect.tool",
        "jaxdefect.tool imports jaxdefect.maps.b",
    ]  # fmt: skip
    build(tmp_path, jaxdefect__maps__b="from jaxdefect.networks import d")
    assert set(circle(imports(tmp_path))) == {"jaxdefect.tool", "jaxdefect.maps.b", "jaxdefect.networks.d"}


def test_a_room_without_words_is_found(tmp_path):
    build(tmp_path, jaxdefect__maps__a="", launch__run__b="")
    assert rooms_without_words(tmp_path) == []
    (tmp_path / "jaxdefect/maps/__init__.py").write_text("x = 1\n")
    (tmp_path / "launch/run/__init__.py").unlink()
    assert rooms_without_words(tmp_path) == ["launch/run has no __init__.py", "jaxdefect/maps/__init__.py says nothing"]


@pytest.mark.parametrize("text", [
    "size = config.settings.size", "run.config.settings.size = 3", "x = settings.settings['size']",
    "config.settings['size'] = 3", "x = config.settings.get('size', 0)", "x = config.settings.pop('size')",
    "config.settings.update(size=3)", "config.settings.update({'size': 3})",
])  # fmt: skip
def test_a_setting_that_launch_names_is_found(tmp_path, text):
    build(tmp_path, launch__run__a="x = config.settings.to_dict() | {'size': 3}\nconfig.settings[name] = values[name]",
          launch__benchmarks__b=text, jaxdefect__a=text)  # fmt: skip
    assert own_settings(tmp_path) == []
    build(tmp_path, launch__run__a=f"def run():\n    {text}")
    assert own_settings(tmp_path) == ["launch/run/a.py:2 names settings.size"]


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="tests run in one process (-n 0)")
def test_tests_of_a_file_share_a_process(request):
    """pytest-xdist reads the group of a test off its id; where it can't set it, each process compiles everything."""
    assert request.node.nodeid.endswith("@tests/test_house.py")
