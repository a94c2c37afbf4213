"""A folder belongs to one process."""

import pytest

from launch.command import files


def test_a_folder_in_use_is_refused(tmp_path):
    with files.locked(tmp_path), pytest.raises(RuntimeError, match="in use by another process"), files.locked(tmp_path):
        pass
