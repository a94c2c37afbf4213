"""Magnetic tiles: found."""

from data_pipeline.load import list_records


def test_magnetic_tile_is_found(real_images):
    records = list_records("magnetic_tile", real_images / "magnetic_tile")
    kinds = [record.kind for record in records]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"good": 150, "blowhole": 115, "break": 85, "crack": 57}
    assert all(record.mask for record in records)
    only = list_records("magnetic_tile", real_images / "magnetic_tile", kinds=("crack",))
    assert {record.kind for record in only} == {"good", "crack"}
