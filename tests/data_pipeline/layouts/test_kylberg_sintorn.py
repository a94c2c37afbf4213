"""Kylberg-Sintorn: textures and rotations are selected."""

import pytest

from data_pipeline.load import list_records
from tests.data_pipeline.folders import write_image


def test_kylberg_sintorn_selects_textures_and_rotations(tmp_path):
    for rotation in ("000", "040"):
        for texture in ("canesugar01", "rice02"):
            write_image(tmp_path / f"{texture}/{texture}-r{rotation}-s001.png")
    assert len(list_records("kylberg_sintorn", tmp_path)) == 2
    assert len(list_records("kylberg_sintorn", tmp_path, rotations=None)) == 4
    assert [r.surface for r in list_records("kylberg_sintorn", tmp_path, textures=["rice02"])] == ["rice02"]
    with pytest.raises(ValueError, match="'wool01' is not in"):
        list_records("kylberg_sintorn", tmp_path, textures=["wool01"])
