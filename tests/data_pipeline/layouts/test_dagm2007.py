"""DAGM 2007: the label table and the official parts."""

import pytest

from tests.data_pipeline.folders import ids, load, write_image, write_mask


def test_dagm_reads_the_label_table_and_keeps_the_official_parts(tmp_path):
    for part in ("Train", "Test"):
        folder = tmp_path / "Class2" / part
        for number in (1, 2, 3, 4):
            write_image(folder / f"000{number}.PNG")
        write_mask(folder / "Label/0002_label.PNG")
        (folder / "Label/Labels.txt").write_text("header\n1\t0\t0001.PNG\t0\t0\n2\t1\t0002.PNG\t0\t0002_label.PNG\n")
    dataset = load("dagm2007", tmp_path, classes=(2,))
    assert len(dataset.train) + len(dataset.calibration) == 3
    assert ids(dataset.test) == [f"Class2/Test/000{number}" for number in (1, 2, 3, 4)]
    assert [entry.label for entry in dataset.test.records] == [0, 1, 0, 0]
    assert ids(dataset.defective) == ["Class2/Train/0002"]
    assert dataset.defective[0].mask.sum() == 24
    with pytest.raises(FileNotFoundError, match=r"Class7.*found Class2/"):
        load("dagm2007", tmp_path, classes=(2, 7))


def test_a_wrong_dagm_label_table_is_named_with_its_line(tmp_path):
    write_image(tmp_path / "Class1/Train/0001.PNG")
    write_image(tmp_path / "Class1/Test/0001.PNG")
    table = tmp_path / "Class1/Train/Label/Labels.txt"
    table.parent.mkdir()
    table.write_text("header\n1\tyes\t0001.PNG\n")
    with pytest.raises(ValueError, match=r"Labels\.txt, line 2"):
        load("dagm2007", tmp_path)
