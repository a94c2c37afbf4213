"""MVTec's layout: found by itself or by category, with and without the suffix of its masks."""

from tests.data_pipeline.folders import ids, load, mvtec


def test_a_folder_in_mvtec_layout_is_found_by_itself_or_by_category(real_images):
    direct = load("mvtec", real_images / "hazelnut_toy" / "hazelnut", channels=3)
    assert len(direct.train) + len(direct.calibration) == 28
    labels = [entry.label for entry in direct.test.records]
    assert (labels.count(0), labels.count(1)) == (6, 17)
    assert all(sample.mask.any() == bool(sample.label) for sample in direct.test)
    named = load("mvtec", real_images / "hazelnut_toy", category="hazelnut", channels=3)
    assert ids(named.train) == ids(direct.train)


def test_masks_are_found_with_and_without_their_suffix(tmp_path):
    for name, suffix in (("with", "_mask"), ("without", "")):
        dataset = load("mvtec", mvtec(tmp_path / name, suffix=suffix))
        assert [sample.mask.sum() for sample in dataset.test] == [24, 24, 0, 0]
