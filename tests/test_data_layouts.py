"""Layouts find what is on disk and say what is not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import data_pipeline
from data_pipeline import images, layouts
from data_pipeline.layouts import aitex, kolektor_sdd, severstal
from data_pipeline.load import list_records
from tests.data_folders import ids, load, mvtec, write_image, write_mask

# Real sets.


def test_aitex_is_found_and_trimmed_without_losing_defects(real_images):
    records = list_records("aitex", real_images / "aitex")
    assert sum(record.label for record in records) == 12
    assert len(records) == 22
    for record in records:
        trimmed = data_pipeline.record.read(record)
        whole = data_pipeline.record.read(record._replace(draw=None))
        assert whole.image.shape == (256, 4096, 1)
        assert 2800 < trimmed.image.shape[1] < 3200
        assert trimmed.mask.sum() == whole.mask.sum()
        assert (trimmed.image == 255).mean() < 0.01
        assert trimmed.mask.any() == bool(record.label)


def test_nanotwice_is_found_and_its_palette_masks_are_right(real_images):
    dataset = load("nanotwice", real_images / "nanotwice")
    assert len(dataset.train) + len(dataset.calibration) + sum(not e.label for e in dataset.test.records) == 5
    defective = [sample for sample in dataset.test if sample.label]
    assert len(defective) == 14
    for sample in defective:
        assert sample.image.shape == (696, 1024, 1)
        file = Image.open(real_images / f"nanotwice/Anomalous/gt/{Path(sample.id).name}_gt.png")
        assert np.array_equal(sample.mask, np.asarray(file).astype(np.uint8))  # 1-bit, or the palette's index 1.
        assert 0.001 < sample.mask.mean() < 0.2
    assert {(e.height, e.width) for e in dataset.train.records} == {(700, 1024)}


def test_magnetic_tile_is_found(real_images):
    records = list_records("magnetic_tile", real_images / "magnetic_tile")
    kinds = [record.kind for record in records]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"good": 150, "blowhole": 115, "break": 85, "crack": 57}
    assert all(record.mask for record in records)
    only = list_records("magnetic_tile", real_images / "magnetic_tile", kinds=("crack",))
    assert {record.kind for record in only} == {"good", "crack"}


def test_a_folder_in_mvtec_layout_is_found_by_itself_or_by_category(real_images):
    direct = load("mvtec", real_images / "hazelnut_toy" / "hazelnut", channels=3)
    assert len(direct.train) + len(direct.calibration) == 28
    labels = [entry.label for entry in direct.test.records]
    assert (labels.count(0), labels.count(1)) == (6, 17)
    assert all(sample.mask.any() == bool(sample.label) for sample in direct.test)
    named = load("mvtec", real_images / "hazelnut_toy", category="hazelnut", channels=3)
    assert ids(named.train) == ids(direct.train)


# Layouts on made-up folders.


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


def test_aitex_unites_several_masks_and_selects_a_fabric(tmp_path):
    image = np.full((16, 100), 100, np.uint8)
    image[:, :30] = 255
    write_image(tmp_path / "Defect_images/0044_019_04.png", like=image)
    for number, column in ((1, 40), (2, 60)):
        marked = np.zeros((16, 100), np.uint8)
        marked[:, column : column + 5] = 255
        write_image(tmp_path / f"Mask_images/0044_019_04_mask{number}.png", like=marked)
    write_image(tmp_path / "Defect_images/0001_006_02.png", like=image)
    write_image(tmp_path / "NoDefect_images/fabric/0001_000_04.png", like=image)
    records = list_records("aitex", tmp_path, fabric="04")
    assert [(record.id, record.kind) for record in records] == [("0001_000_04", "good"), ("0044_019_04", "fuzzyball")]
    sample = data_pipeline.record.read(records[1])
    assert sample.image.shape == (16, 70, 1)
    assert np.flatnonzero(sample.mask[0]).tolist() == [10, 11, 12, 13, 14, 30, 31, 32, 33, 34]
    with pytest.raises(ValueError, match="fabric='9'.*02, 04"):
        list_records("aitex", tmp_path, fabric="9")


def test_a_white_fabric_is_not_taken_for_a_blank_strip():
    assert aitex.blank_columns(np.full((4, 10, 1), 255, np.uint8)) == 0
    assert aitex.blank_columns(np.full((4, 10, 1), 90, np.uint8)) == 0


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


def test_kolektor2_labels_images_by_their_masks(tmp_path):
    for part in ("train", "test"):
        for number in range(3):
            write_image(tmp_path / part / f"1000{number}.png")
            write_mask(tmp_path / part / f"1000{number}_GT.png", defect=number == 0)
    dataset = load("kolektor_sdd2", tmp_path)
    assert [entry.label for entry in dataset.test.records] == [1, 0, 0]
    assert ids(dataset.defective) == ["train/10000"]


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


def test_kylberg_sintorn_selects_textures_and_rotations(tmp_path):
    for rotation in ("000", "040"):
        for texture in ("canesugar01", "rice02"):
            write_image(tmp_path / f"{texture}/{texture}-r{rotation}-s001.png")
    assert len(list_records("kylberg_sintorn", tmp_path)) == 2
    assert len(list_records("kylberg_sintorn", tmp_path, rotations=None)) == 4
    assert [r.surface for r in list_records("kylberg_sintorn", tmp_path, textures=["rice02"])] == ["rice02"]
    with pytest.raises(ValueError, match="'wool01' is not in"):
        list_records("kylberg_sintorn", tmp_path, textures=["wool01"])


@pytest.mark.parametrize("name", [name for name in layouts.names() if layouts.needs_folder(layouts.find(name))])
def test_every_layout_says_what_it_expected_of_a_wrong_folder(tmp_path, name):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(FileNotFoundError, match=r"expected .+; (found|there is no such folder).*holiday/"):
        list_records(name, tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        list_records(name, tmp_path / "nowhere")


# load().


def test_unknown_names_and_options_are_answered_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match=r"'nanotwic'; did you mean 'nanotwice'\? known: aitex, "):
        load("nanotwic", tmp_path)
    with pytest.raises(ValueError, match=r"'categry' of dataset 'mvtec'; did you mean 'category'"):
        load("mvtec", tmp_path, categry="x")


def test_a_dataset_of_files_needs_a_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("JAXDEFECT_DATA", raising=False)
    with pytest.raises(ValueError, match="root="):
        load("mvtec")
    monkeypatch.setenv("JAXDEFECT_DATA", str(tmp_path))
    mvtec(tmp_path / "mvtec")
    assert len(load("mvtec").test) == 4


def test_masks_are_found_with_and_without_their_suffix(tmp_path):
    for name, suffix in (("with", "_mask"), ("without", "")):
        dataset = load("mvtec", mvtec(tmp_path / name, suffix=suffix))
        assert [sample.mask.sum() for sample in dataset.test] == [24, 24, 0, 0]
