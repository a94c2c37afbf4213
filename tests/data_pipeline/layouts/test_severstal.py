"""Severstal: runs go down the columns."""

import numpy as np
import pytest

import data_pipeline
from data_pipeline.layouts import severstal
from data_pipeline.load import list_records
from tests.data_pipeline.folders import write_image


def test_severstal_runs_go_down_the_columns(tmp_path):
    for name in ("a", "b", "c", "d"):
        write_image(tmp_path / f"train_images/{name}.jpg", height=4, width=5)
    (tmp_path / "train.csv").write_text("ImageId,ClassId,EncodedPixels\na.jpg,3,2 2 9 1\nb.jpg,1,1 1\nb.jpg,3,1 1\n")
    records = list_records("severstal", tmp_path)
    assert [(record.id, record.kind) for record in records] == [("a", "class 3"), ("c", "good"), ("d", "good")]
    marked = data_pipeline.record.read(records[0]).mask
    assert [tuple(place) for place in np.argwhere(marked.T)] == [(0, 1), (0, 2), (2, 0)]  # (column, row)
    assert len(list_records("severstal", tmp_path, classes=(1, 3))) == 4
    with pytest.raises(ValueError, match="reach pixel 21"):
        severstal.decode_runs("20 2", 4, 5)
    (tmp_path / "train.csv").write_text("ImageId,EncodedPixels\na.jpg,1 1\n")
    with pytest.raises(ValueError, match="train.csv"):
        list_records("severstal", tmp_path)
