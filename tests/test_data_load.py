"""load() divides what a layout found fairly and prepares it once; bad images are named."""

import os
import subprocess
import sys

import numpy as np
import pytest

import data_pipeline
from tests.data_folders import ids, load, mvtec, write_image, write_mask


def test_no_normal_images_is_an_error(tmp_path):
    mvtec(tmp_path, good=0)
    (tmp_path / "train/good").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"train/good: expected normal images.*found nothing"):
        load("mvtec", tmp_path)


def test_one_normal_image_cannot_be_both_trained_on_and_calibrated_with(tmp_path):
    with pytest.raises(ValueError, match="none to train on"):
        load("mvtec", mvtec(tmp_path, good=1))


def test_a_defective_image_without_a_mask_is_an_error_unless_allowed(tmp_path):
    (mvtec(tmp_path) / "ground_truth/crack/001_mask.png").unlink()
    with pytest.raises(ValueError, match=r"test/crack/001\.png: a defective image without a mask.*allow_unmasked"):
        load("mvtec", tmp_path)
    dataset = load("mvtec", tmp_path, allow_unmasked=True)
    assert [entry.has_mask for entry in dataset.test.records] == [True, False, True, True]
    assert dataset.test[0].mask.any()
    assert dataset.test[1].mask is None


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


@pytest.mark.parametrize("options", [{"calibration": 1.0}, {"channels": 2}, {"scale": 0}, {"size": (0, 4)}])
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


def test_what_is_prepared_is_what_the_files_hold(tmp_path):
    mvtec(tmp_path / "set")
    (tmp_path / "set/ground_truth/crack/001_mask.png").unlink()
    options = {"root": tmp_path / "set", "scale": 0.7, "channels": 3, "allow_unmasked": True}
    prepared = data_pipeline.load("mvtec", cache=tmp_path / "cache", **options)
    direct = data_pipeline.load("mvtec", cache=False, **options)
    assert prepared.fingerprint == direct.fingerprint
    for part in ("train", "calibration", "test"):
        left, right = getattr(prepared, part), getattr(direct, part)
        assert left.records == right.records
        for one, two in zip(left, right, strict=True):
            assert one._replace(image=None, mask=None) == two._replace(image=None, mask=None)
            assert np.array_equal(one.image, two.image)
            assert (one.mask is None and two.mask is None) or np.array_equal(one.mask, two.mask)


def test_generated_images_are_prepared_as_they_are_drawn(tmp_path):
    options = {"surfaces": (3,), "size": 64, "train": 3, "test_good": 2, "test_defective": 2}
    prepared = data_pipeline.load("synthetic", cache=tmp_path, **options)
    direct = data_pipeline.load("synthetic", cache=False, **options)
    assert [len(split) for split in (prepared.train, prepared.calibration, prepared.test)] == [2, 1, 4]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(prepared.test, direct.test, strict=True))
    assert data_pipeline.load("synthetic", cache=False, **options, seed=1).fingerprint != direct.fingerprint


def test_a_changed_folder_is_prepared_anew(tmp_path):
    root = mvtec(tmp_path / "set")
    before = data_pipeline.load("mvtec", root=root, cache=tmp_path / "cache")
    again = data_pipeline.load("mvtec", root=root, cache=tmp_path / "cache")
    assert before.fingerprint == again.fingerprint
    white = write_image(root / "test/crack/000.png", like=np.full((20, 30), 250, np.uint8))
    os.utime(white, ns=(1, 1))
    after = data_pipeline.load("mvtec", root=root, cache=tmp_path / "cache")
    assert after.fingerprint != before.fingerprint
    assert (after.test[0].image == 250).all()


def test_a_failed_preparation_leaves_nothing_and_names_the_file(tmp_path):
    root = mvtec(tmp_path / "set")
    (root / "test/crack/001.png").write_bytes(b"no image")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"crack/001\.png: not an image"):
            data_pipeline.load("mvtec", root=root, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*array_record*"))
    write_image(root / "test/crack/001.png")
    assert len(data_pipeline.load("mvtec", root=root, cache=tmp_path / "cache").test) == 4


LOADER = """
import sys, data_pipeline
root, cache = sys.argv[1:]
dataset = data_pipeline.load("mvtec", root=root, cache=cache)
print(sum(int(sample.image.sum()) for sample in dataset.test))
assert "tensorflow" not in sys.modules, "loading needs no TensorFlow"
"""


def test_two_processes_prepare_the_same_dataset_at_once(tmp_path):
    mvtec(tmp_path / "set", good=30)
    command = [sys.executable, "-c", LOADER, str(tmp_path / "set"), str(tmp_path / "cache")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outcomes = [(*process.communicate(timeout=120), process.returncode) for process in running]
    expected = sum(int(s.image.sum()) for s in load("mvtec", tmp_path / "set").test)
    assert outcomes == [(f"{expected}\n", "", 0)] * 2  # Nothing but the sum: preparation is silent.
    assert len(list((tmp_path / "cache").rglob("*array_record-*"))) == 1
