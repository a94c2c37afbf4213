"""Finished work that the tests of several commands look at."""

from pathlib import Path

import pytest

from launch import train
from tests.launch.small_runs import SMALL, whole
from tests.launch.sweeping.small_sweeps import unbroken


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Path:
    """A finished small run."""
    workdir = tmp_path_factory.mktemp("runs") / "small"
    train.main([*SMALL, "--workdir", str(workdir)])
    return workdir


@pytest.fixture(scope="session")
def maa(tmp_path_factory) -> Path:
    """A finished run of a detector of whole images."""
    workdir = tmp_path_factory.mktemp("runs") / "maa"
    train.main([*whole("maa"), "--workdir", str(workdir)])
    return workdir


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> tuple[str, Path]:
    """(sweep file, folder) of an unbroken sweep."""
    return unbroken(tmp_path_factory.mktemp("sweep"))
