"""load() divides what a layout found fairly; bad images are named."""

import shutil

import pytest

from data_pipeline.load import divide
from data_pipeline.record import Record
from tests.data_pipeline.folders import ids, load, mvtec, write_image, write_mask


def test_a_dataset_of_files_needs_a_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("JAXDEFECT_DATA", raising=False)
    with pytest.raises(ValueError, match="root="):
        load("mvtec")
    monkeypatch.setenv("JAXDEFECT_DATA", str(tmp_path))
    mvtec(tmp_path / "mvtec")
    assert len(load("mvtec").test) == 4


def test_no_normal_images_is_an_error(tmp_path):
    mvtec(tmp_path, good=0)
    (tmp_path / "train/good").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"train/good: expected normal images.*found nothing"):
        load("mvtec", tmp_path)


def test_one_normal_image_cannot_be_both_trained_on_and_calibrated_with(tmp_path):
    with pytest.raises(ValueError, match="none to train on"):
        load("mvtec", mvtec(tmp_path, good=1))


def test_a_defective_image_without_a_mask_beside_outlined_ones_is_an_error_unless_allowed(tmp_path):
    (mvtec(tmp_path) / "ground_truth/crack/001_mask.png").unlink()
    said = r"test/crack/001\.png: a defective image without a mask, as are 1 of the 2 .*options.allow_unmasked=True"
    with pytest.raises(ValueError, match=said):
        load("mvtec", tmp_path)
    dataset = load("mvtec", tmp_path, allow_unmasked=True)
    assert [entry.has_mask for entry in dataset.test.records] == [True, False, True, True]
    assert dataset.test[0].mask.any()
    assert dataset.test[1].mask is None


def test_defective_images_of_which_none_has_a_mask_are_kept(tmp_path):
    shutil.rmtree(mvtec(tmp_path) / "ground_truth")
    dataset = load("mvtec", tmp_path)
    assert [entry.has_mask for entry in dataset.test.records] == [False, False, True, True]
    assert dataset.test[0].mask is None and dataset.test[0].label == 1 and not dataset.test[2].mask.any()


def test_a_folder_of_good_images_alone_can_be_loaded(tmp_path):
    for number in range(3):
        write_image(tmp_path / f"train/good/{number}.png")
    dataset = load("mvtec", tmp_path)
    assert [len(split) for split in (dataset.train, dataset.calibration)] == [1, 1]


def test_a_mask_of_another_size_names_both_files_and_sizes(tmp_path):
    write_mask(mvtec(tmp_path) / "ground_truth/crack/000_mask.png", height=21, width=31)
    with pytest.raises(ValueError, match=r"000_mask\.png: .*31 x 21 .*crack/000\.png 30 x 20"):
        load("mvtec", tmp_path).test[0]


def test_a_good_image_with_a_marked_mask_is_an_error(tmp_path):
    for kind in ("Free", "Crack"):
        for number in range(4):
            write_image(tmp_path / f"MT_{kind}/Imgs/{number}.jpg")
            write_mask(tmp_path / f"MT_{kind}/Imgs/{number}.png")
    with pytest.raises(ValueError, match="24 defect pixels in an image filed as good"):
        list(load("magnetic_tile", tmp_path).train)


@pytest.mark.parametrize("options", [{"calibration_fraction": 1.0}, {"channels": 2}, {"scale": 0}, {"size": (0, 4)}])
def test_options_out_of_range_are_refused(tmp_path, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        load("mvtec", mvtec(tmp_path), **options)


def unsplit(root, good=10):
    for number in range(good):
        write_image(root / f"Normal/n{number}.tif")
    for number in range(4):
        write_image(root / f"Anomalous/images/a{number}.tif")
        write_mask(root / f"Anomalous/gt/a{number}_gt.png")
    return root


def test_the_parts_are_disjoint_and_train_and_calibration_normal(tmp_path):
    dataset = load("nanotwice", unsplit(tmp_path))
    parts = [dataset.train, dataset.calibration, dataset.test]
    assert [len(part) for part in parts] == [6, 2, 6]  # 2 of 10 to the test, 2 of the other 8 held out.
    assert len({name for part in parts for name in ids(part)}) == 14
    assert not any(entry.label for part in parts[:2] for entry in part.records)
    assert sum(entry.label for entry in dataset.test.records) == 4


def test_the_parts_depend_on_the_seed_and_the_ids_alone(tmp_path):
    first = load("nanotwice", unsplit(tmp_path / "one"))
    other_folder = load("nanotwice", unsplit(tmp_path / "two"))
    assert ids(first.train) == ids(other_folder.train)
    assert any(ids(load("nanotwice", tmp_path / "one", seed=seed).train) != ids(first.train) for seed in range(1, 6))


def test_the_official_test_part_is_the_test_part(tmp_path):
    for seed in range(3):
        dataset = load("mvtec", mvtec(tmp_path), seed=seed)
        assert ids(dataset.test) == ["test/crack/000", "test/crack/001", "test/good/000", "test/good/001"]


def test_images_are_scaled_and_coloured_as_asked(tmp_path):
    mvtec(tmp_path)
    half = load("mvtec", tmp_path, scale=0.5, channels=3)
    assert half.test[0].image.shape == (10, 15, 3)
    assert half.test[0].mask.shape == (10, 15)
    assert (half.test.records[0].height, half.test.records[0].width) == (10, 15)
    assert load("mvtec", tmp_path, resize=(8, 9)).test[0].image.shape == (8, 9, 1)


def test_supervised_methods_get_a_share_of_the_defects_and_hold_some_out():
    records = [Record(f"{n}", None, None, int(n < 20), "x" if n < 20 else "good", "", "") for n in range(60)]
    parts = divide(records, seed=0, calibration_fraction=0.2, test_good_fraction=0.2, train_defective_fraction=0.5)
    counts = {name: len(chosen) for name, chosen in parts.items()}
    assert counts == {"train": 26, "calibration": 6, "test": 18, "defective": 8, "calibration_defective": 2}
    assert sorted(i for chosen in parts.values() for i in chosen) == list(range(60))
    without = divide(records, seed=0, calibration_fraction=0.2, test_good_fraction=0.2, train_defective_fraction=0.0)
    assert (without["train"], without["calibration"]) == (parts["train"], parts["calibration"])
    assert not without["defective"] and not without["calibration_defective"]
