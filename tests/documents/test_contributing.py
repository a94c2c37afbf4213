"""The detector that CONTRIBUTING.md adds keeps the contract and runs, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]
FILE = re.compile(r"`([\w/]+\.py)`:\n\n```python\n(.*?)```", re.S)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project with the files of CONTRIBUTING.md in it."""
    place = tmp_path_factory.mktemp("contributing") / "project"
    for part in ("jaxdefect", "configs", "launch", "data_pipeline", "tests", "docs"):
        shutil.copytree(HERE / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "CONTRIBUTING.md", "LICENSE", "in_venv", "uv.lock"):
        shutil.copy(HERE / file, place)
    files = dict(FILE.findall((HERE / "CONTRIBUTING.md").read_text()))
    assert sorted(files) == ["configs/mean_image.py", "jaxdefect/detectors/mean_image.py"]
    for name, text in files.items():
        assert not (place / name).exists()
        (place / name).write_text(text)
    return place


def run(place, *words):
    done = subprocess.run([sys.executable, "-m", *words], cwd=place, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.drill
def test_it_keeps_the_contract_and_only_skips_what_is_about_learning(copy):
    printed = run(copy, "pytest", "-n", "0", "-q", "-rs", "tests/contract", "-k", "mean_image")
    results, *_ = printed.splitlines()
    assert results.count(".") > 7 and "learns nothing by steps" in printed


@pytest.mark.drill
def test_it_is_trained_scored_and_reported_by_its_name(copy):
    options = ["data.options.surfaces=(4,)", "data.options.size=64", "data.options.train=8", "settings.size=16"]
    options += ["data.options.test_good=3", "data.options.test_defective=3", "data.size=16", "train.patch=16"]
    printed = run(copy, "launch.train", "--detector", "mean_image", "--workdir", "RUN", *options)
    assert "image AUROC" in printed and (copy / "RUN" / "report.html").is_file()


@pytest.mark.drill
def test_with_it_the_whole_fast_suite_passes(copy):
    """But for this file, which would copy the project without end."""
    run(copy, "launch.tabulate")
    run(copy, "pytest", "--deselect", "tests/documents/test_contributing.py")


def test_its_files_are_in_the_style_of_the_house(copy):
    files = ["configs/mean_image.py", "jaxdefect/detectors/mean_image.py"]
    run(copy, "ruff", "check", *files)
    run(copy, "ruff", "format", "--check", *files)
