"""AITEX: found, trimmed without losing defects, its masks united."""

import numpy as np
import pytest

import data_pipeline
from data_pipeline.layouts import aitex
from data_pipeline.load import list_records
from tests.data_pipeline.folders import write_image


def test_aitex_is_found_and_trimmed_without_losing_defects(real_images):
    records = list_records("aitex", real_images / "aitex")
    assert sum(record.label for record in records) == 12
    assert len(records) == 22
    for record in records:
        trimmed = data_pipeline.record.read(record)
        whole = data_pipeline.record.read(record._replace(draw=None))
        assert whole.image.shape == (256, 4096, 1)
        assert 2800 < trimmed.image.shape[1] < 3200
        assert trimmed.mask.sum() == whole.mask.sum()
        assert (trimmed.image == 255).mean() < 0.01
        assert trimmed.mask.any() == bool(record.label)


def test_aitex_unites_several_masks_and_selects_a_fabric(tmp_path):
    image = np.full((16, 100), 100, np.uint8)
    image[:, :30] = 255
    write_image(tmp_path / "Defect_images/0044_019_04.png", like=image)
    for number, column in ((1, 40), (2, 60)):
        marked = np.zeros((16, 100), np.uint8)
        marked[:, column : column + 5] = 255
        write_image(tmp_path / f"Mask_images/0044_019_04_mask{number}.png", like=marked)
    write_image(tmp_path / "Defect_images/0001_006_02.png", like=image)
    write_image(tmp_path / "NoDefect_images/fabric/0001_000_04.png", like=image)
    records = list_records("aitex", tmp_path, fabric="04")
    assert [(record.id, record.kind) for record in records] == [("0001_000_04", "good"), ("0044_019_04", "fuzzyball")]
    sample = data_pipeline.record.read(records[1])
    assert sample.image.shape == (16, 70, 1)
    assert np.flatnonzero(sample.mask[0]).tolist() == [10, 11, 12, 13, 14, 30, 31, 32, 33, 34]
    with pytest.raises(ValueError, match="fabric='9'.*02, 04"):
        list_records("aitex", tmp_path, fabric="9")


def test_a_white_fabric_is_not_taken_for_a_blank_strip():
    assert aitex.blank_columns(np.full((4, 10, 1), 255, np.uint8)) == 0
    assert aitex.blank_columns(np.full((4, 10, 1), 90, np.uint8)) == 0
