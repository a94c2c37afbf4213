"""KolektorSDD2: labels come from the masks."""

from tests.data_pipeline.folders import ids, load, write_image, write_mask


def test_kolektor2_labels_images_by_their_masks(tmp_path):
    for part in ("train", "test"):
        for number in range(3):
            write_image(tmp_path / part / f"1000{number}.png")
            write_mask(tmp_path / part / f"1000{number}_GT.png", defect=number == 0)
    dataset = load("kolektor_sdd2", tmp_path)
    assert [entry.label for entry in dataset.test.records] == [1, 0, 0]
    assert ids(dataset.defective) == ["train/10000"]
