"""KolektorSDD: folds by commutator."""

import pytest

from data_pipeline.layouts import kolektor_sdd
from data_pipeline.load import list_records
from tests.data_pipeline.folders import write_image, write_mask


def kolektor(root, items=range(1, 51)):
    for item in items:
        for part in (6, 7):
            write_image(root / f"kos{item:02d}/Part{part}.jpg")
            write_mask(root / f"kos{item:02d}/Part{part}_label.bmp", defect=item % 2 == 0)
    return root


def test_kolektor_folds_test_every_commutator_exactly_once(tmp_path):
    kolektor(tmp_path)
    tested = []
    for fold in range(3):
        records = list_records("kolektor_sdd", tmp_path, fold=fold)
        assert len(records) == 99  # kos21/Part7 is left out by the published splits.
        tested += {record.id.split("/")[0] for record in records if record.split == "test"}
    assert sorted(tested) == [f"kos{item:02d}" for item in range(1, 51)]
    assert [len(fold) for fold in kolektor_sdd.TEST_FOLDS] == [17, 17]
    assert {record.label for record in records if record.id.startswith("kos02")} == {1}
    with pytest.raises(ValueError, match="fold=3"):
        list_records("kolektor_sdd", tmp_path, fold=3)
    (tmp_path / "kos05/Part6_label.bmp").unlink()
    with pytest.raises(FileNotFoundError, match="Part6_label.bmp"):
        list_records("kolektor_sdd", tmp_path)
