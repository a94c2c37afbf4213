"""What several drills start from."""

from pathlib import Path

import pytest

from tests.launch.sweeping.small_sweeps import unbroken


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> tuple[str, Path]:
    """(sweep file, folder) of an unbroken sweep."""
    return unbroken(tmp_path_factory.mktemp("sweep"))
