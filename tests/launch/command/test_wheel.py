"""A wheel holds all of the project within jaxdefect, and works beside a user's own `configs` and `launch`."""

import os
import re
import shutil
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from launch.command import wheel

ROOT = Path(__file__).parents[3]
TINY = [f"data.options.{pair}" for pair in ("size=64", "surfaces=(3,)", "train=4", "test_good=2", "test_defective=2")]


@pytest.mark.parametrize(
    "source, there",
    [
        ("from launch.run import data", "from jaxdefect._launch.run import data"),
        ("    from configs import base", "    from jaxdefect._configs import base"),
        ("import data_pipeline", "import jaxdefect._data_pipeline as data_pipeline"),
        ('import_module(f"configs.{name}")', 'import_module(f"jaxdefect._configs.{name}")'),
        ("from launched import x", "from launched import x"),
    ],
)
def test_an_import_says_where_a_module_is_in_the_wheel(source, there):
    assert wheel.moved(source) == there


def test_no_import_of_the_project_is_left_as_it_is_in_a_checkout():
    left = re.compile(
        rf"^\s*(?:from|import) (?:{wheel.NAMES})\b(?!\s*=)|import_module\(f?[\"'](?:{wheel.NAMES})\b", re.M
    )
    for name in (*wheel.MOVED, "jaxdefect"):
        for file in (ROOT / name).rglob("*.py"):
            assert not left.search(wheel.moved(file.read_text())), file


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder of programs of an environment with the wheel, and with what the wheel needs from this one."""
    place = tmp_path_factory.mktemp("wheel")
    for name in ("jaxdefect", *wheel.MOVED):
        shutil.copytree(ROOT / name, place / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place / "source")
    subprocess.run([sys.executable, "-m", "venv", str(place / "env")], check=True)  # Has a pip, which ours may not.
    python = str(place / "env/bin/python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", str(place / "source"), "--no-deps", "-q", "-w", str(place)], check=True)
    made = next(place.glob("*.whl"))
    with zipfile.ZipFile(made) as archive:
        assert {name.split("/")[0].split("-")[0] for name in archive.namelist()} == {"jaxdefect"}
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", str(made)], check=True)
    packages = next((place / "env/lib").glob("python3*/site-packages"))
    (packages / "needed.pth").write_text("\n".join(site.getsitepackages()))  # Not their .pth: not our checkout.
    return place / "env/bin"


@pytest.mark.drill
def test_a_wheel_works_among_folders_of_the_same_names(installed, tmp_path):
    for name in ("configs", "launch", "data_pipeline"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the folder of the user was imported')\n")
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*words, **how):
        done = subprocess.run([str(word) for word in words], cwd=tmp_path, env=clean, capture_output=True, text=True)
        assert done.returncode == how.get("status", 0), done.stdout + done.stderr
        return done.stdout + done.stderr

    program = installed / "jaxdefect"
    assert "nsa" in run(program, "list", "detectors")
    assert "usage: jaxdefect train" in run(program, "train", "--help")
    assert "launch.train" not in run(program, "train", "--help")
    train = run(program, "train", "--detector", "dct", "--workdir", "run", *TINY, "data.options.test_defective=2")
    assert "Report: run/report.html" in train
    assert "jaxdefect train --detector dct" in (tmp_path / "run/report.html").read_text()
    (tmp_path / "images").mkdir()
    assert "images are defective" in run(program, "detect", "run", ROOT / "docs", "--out", "out")
    assert "error: nowhere is no run" in run(program, "evaluate", "nowhere", status=1)
    sweep = ("sweep", "table4", "--quick", "--workdir", "sweep", "--axis", "settings.box=3", "--seeds", "0")
    small = ("train.steps=2", "train.log_every=1", "train.save_every=2", "train.batch=2", *TINY)
    run(program, *sweep, *small, "--launcher", "local", "--workers", "1")
    assert (tmp_path / "sweep/sweep.html").is_file()
    # As a library, in a program of a user's that has a `launch` of its own.
    text = "import sys, jaxdefect; sys.path.insert(0, ''); jaxdefect.open_run('run'); print('launch' in sys.modules)"
    assert run(installed / "python", "-c", text).strip().endswith("False")
