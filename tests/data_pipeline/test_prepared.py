"""A dataset is prepared once, as its files hold it, and anew where they change."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import data_pipeline
from tests.data_pipeline.folders import load, mvtec, write_image


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


def cut(content):
    return content[: len(content) // 2]


def flipped(content):
    return content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]


def as_held(dataset, direct):
    for part in ("train", "calibration", "test"):
        left, right = getattr(dataset, part), getattr(direct, part)
        assert left.records == right.records
        for one, two in zip(left, right, strict=True):
            assert one._replace(image=None, mask=None) == two._replace(image=None, mask=None)
            assert np.array_equal(one.image, two.image) and np.array_equal(one.mask, two.mask)


def mended(damage, root, cache, direct) -> bool:
    """Whether a damage of the prepared dataset was told; what is read is sound, and the next start finds it so."""
    files = {path.name: path for path in (cache / "images").rglob("*") if path.is_file()}
    damage(files)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        as_held(data_pipeline.load("mvtec", root=root, cache=cache), direct)
    assert all("the prepared images are damaged" in str(one.message) for one in told) and len(told) < 2
    data_pipeline.load("mvtec", root=root, cache=cache)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_held(data_pipeline.load("mvtec", root=root, cache=cache), direct)
    return bool(told)


def test_any_damaged_file_of_a_prepared_dataset_is_mended(tmp_path):
    root, cache, told = mvtec(tmp_path / "set", good=3), tmp_path / "cache", []
    direct = load("mvtec", root)
    data_pipeline.load("mvtec", root=root, cache=cache)
    names = {path.name for path in (cache / "images").rglob("*") if path.is_file()}
    assert len(names) == 4
    for name in sorted(names):
        for way in (cut, flipped, lambda content: b"", None):
            change = lambda files, name=name, way=way: (
                files[name].write_bytes(way(files[name].read_bytes())) if way else files[name].unlink()
            )
            told.append(mended(change, root, cache, direct))
    assert sum(told) >= 12  # A flipped sign may be one of a description that nobody reads.


def test_a_label_that_was_flipped_on_disk_is_not_believed(tmp_path):
    root, cache = mvtec(tmp_path / "set", good=3), tmp_path / "cache"
    data_pipeline.load("mvtec", root=root, cache=cache)

    def relabel(files):
        text = files["metadata.json"].read_text()
        assert '"crack", "set", 1,' in text
        files["metadata.json"].write_text(text.replace('"crack", "set", 1,', '"crack", "set", 0,'))

    assert mended(relabel, root, cache, load("mvtec", root))


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
