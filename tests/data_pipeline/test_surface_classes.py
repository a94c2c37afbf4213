"""DAGM_MIX: surfaces as classes, good and defective alike, some of them unseen; and images for supervised methods."""

import numpy as np
import pytest

from data_pipeline import Mix, load
from data_pipeline.record import PART, source
from data_pipeline.surface_classes import is_copy

DRAWN = {"surfaces": (1, 2, 3, 4), "size": 64, "train": 6, "train_defective": 3, "test_good": 5, "test_defective": 2}
PARTS = ("train", "calibration", "test", "defective", "calibration_defective")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def mixed(cache, **mix):
    return load("synthetic", cache=cache, mix=Mix(**mix), **DRAWN)


def test_labels_say_whether_a_surface_is_unseen_and_training_has_none_of_them(cache):
    found = mixed(cache, unseen=("Class2", "Class4"), per_surface=6)
    for part in (found.train, found.calibration):
        assert {record.surface for record in part.records} == {"Class1", "Class3"}
        assert {record.label for record in part.records} == {0}
    assert {(r.surface, r.label, r.kind) for r in found.test.records} == {
        ("Class1", 0, "good"), ("Class3", 0, "good"), ("Class2", 1, "Class2"), ("Class4", 1, "Class4"),
    }  # fmt: skip
    left_out = found.defective.records + found.calibration_defective.records
    assert {record.surface for record in left_out} == {"Class2", "Class4"}
    assert found.test[0].label == found.test.records[0].label


def test_every_kind_of_a_surface_is_as_frequent_as_the_other(cache):
    found = mixed(cache, unseen=("Class2",), per_surface=6)
    for surface in ("Class1", "Class3", "Class4"):
        own = [r.id for part in (found.train, found.calibration) for r in part.records if r.surface == surface]
        assert sum("/good/" in id for id in own) == sum("/good/" not in id for id in own) == 6
        assert sum(map(is_copy, own)) == 3
        tested = [r.id for r in found.test.records if r.surface == surface]
        assert sum("/good/" in id for id in tested) == 2 and not any(map(is_copy, tested))


def test_copies_of_an_image_stay_with_it_unless_it_is_split_after_augmentation(cache):
    for seed in range(5):
        found = load("synthetic", cache=cache, mix=Mix(per_surface=24), seed=seed, **DRAWN)
        where = [{source(r.id) for r in part.records} for part in (found.train, found.calibration, found.test)]
        assert not (where[0] & where[1] or where[0] & where[2] or where[1] & where[2])
    leaking = mixed(cache, per_surface=24, split_after_augmentation=True)
    train, test = ({source(r.id) for r in part.records} for part in (leaking.train, leaking.test))
    assert train & test


def test_what_is_prepared_serves_any_choice_of_unseen_surfaces(cache):
    one, other = mixed(cache, unseen=("Class1",)), mixed(cache, unseen=("Class3", "Class4"))
    assert one.fingerprint == other.fingerprint
    again = {r.id for part in PARTS for r in getattr(one, part).records if not is_copy(r.id)}
    assert again == {r.id for part in PARTS for r in getattr(other, part).records if not is_copy(r.id)}


def test_a_copy_is_its_source_turned_or_mirrored_or_brighter(cache):
    found = load("synthetic", cache=cache, mix=Mix(), **DRAWN | {"train": 24, "surfaces": (1, 2)})
    images = {sample.id: sample for part in (found.train, found.calibration) for sample in part}
    copies = [id for id in images if is_copy(id)]
    assert {id.partition(PART)[2] for id in copies} >= {"turned180", "mirrored", "turned90"}
    for id in copies:
        original, copy, way = images.get(source(id)), images[id], id.partition(PART)[2]
        if way == "mirrored" and original:
            np.testing.assert_array_equal(copy.image, original.image[:, ::-1])
            np.testing.assert_array_equal(copy.mask, original.mask[:, ::-1])
        if way == "brighter" and original:
            assert copy.image.mean() > original.image.mean()


def test_unknown_surfaces_and_too_few_seen_ones_are_refused(cache):
    with pytest.raises(ValueError, match="data.unseen names 'Clas1'.*did you mean 'Class1'"):
        mixed(cache, unseen=("Clas1",))
    with pytest.raises(ValueError, match="leaves fewer than two"):
        mixed(cache, unseen=("Class1", "Class2", "Class3"))
    with pytest.raises(ValueError, match="'Class1' has no defective image"):
        load("synthetic", cache=cache, mix=Mix(), **DRAWN | {"test_defective": 0, "train_defective": 0})
