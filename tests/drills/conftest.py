"""What several drills start from."""

from pathlib import Path

import pytest

from tests.drills.damage import Whole, whole_run
from tests.launch.sweeping.small_sweeps import unbroken


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> tuple[str, Path]:
    """(sweep file, folder) of an unbroken sweep."""
    return unbroken(tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Whole:
    """A small finished run, and what every command has left of it."""
    return whole_run(tmp_path_factory.mktemp("whole"))
