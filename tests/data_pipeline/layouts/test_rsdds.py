"""RSDDs: squares that together are the image."""

import numpy as np
import pytest

import data_pipeline
from data_pipeline import images
from data_pipeline.load import list_records
from tests.data_pipeline.folders import write_image, write_mask


def test_rsdds_cuts_squares_that_together_are_the_image(tmp_path):
    folder = tmp_path / "Type-II RSDDs dataset"
    path = write_image(folder / "Rail surface images/rail_1.png", height=105, width=20)
    write_mask(folder / "GroundTruth/rail_1.png", height=105, width=20)
    records = list_records("rsdds", tmp_path)
    assert [record.label for record in records] == [1, 0, 0, 0, 0]
    samples = [data_pipeline.record.read(record) for record in records]
    assert np.array_equal(np.concatenate([s.image for s in samples]), images.read_image(path)[:100])
    assert len(list_records("rsdds", tmp_path, squares=False)) == 1
    with pytest.raises(FileNotFoundError, match="Type-I RSDDs dataset"):
        list_records("rsdds", tmp_path, type=1)
