"""The stream of supervised methods: balanced epochs, windows about defects, weak labels, resumable."""

import itertools

import numpy as np
import pytest

from data_pipeline import labelled, load
from data_pipeline.labelled import even_order, order, order_of_all

DRAWN = {"surfaces": (4,), "size": 64, "train": 12, "train_defective": 6, "test_good": 2, "test_defective": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load("synthetic", cache=tmp_path_factory.mktemp("cache"), **DRAWN)


def take(stream, count):
    return list(itertools.islice(stream, count))


def test_an_epoch_is_every_positive_once_and_as_many_negatives():
    drawn = order(5, 50, seed=0)
    for _ in range(20):
        epoch = take(drawn, 10)
        assert sorted(i for i in epoch if i < 5) == list(range(5))
        negatives = [i for i in epoch if i >= 5]
        assert len(set(negatives)) == 5 and max(negatives) < 55


def test_negatives_that_were_used_less_come_first():
    uses = np.bincount(take(order(5, 50, seed=1), 10 * 20), minlength=55)[5:]
    uniform = np.random.default_rng(0).integers(0, 50, (1000, 100))
    by_chance = np.mean([np.bincount(row, minlength=50).std() for row in uniform])
    assert uses.sum() == 100 and uses.std() < 0.6 * by_chance


def test_few_negatives_are_repeated():
    epoch = take(order(7, 3, seed=0), 14)
    assert np.bincount(epoch, minlength=10)[7:].tolist() in ([3, 2, 2], [2, 3, 2], [2, 2, 3])


def test_an_even_epoch_has_as_many_of_each_class():
    classes = np.repeat([0, 1, 2], [7, 3, 2])
    for _ in range(5):
        epoch = take(even_order(classes, seed=0), 21)
        uses = np.bincount(epoch, minlength=12)
        assert np.bincount(classes, weights=uses).tolist() == [7, 7, 7]
        assert all(np.ptp(uses[classes == one]) <= 1 for one in range(3))


def test_an_epoch_of_all_is_each_once():
    drawn = order_of_all(9, seed=0)
    epochs = [take(drawn, 9) for _ in range(3)]
    assert all(sorted(epoch) == list(range(9)) for epoch in epochs) and epochs[0] != epochs[1]


def test_with_every_good_image_the_few_defective_ones_are_rare(data):
    batches = take(labelled(data.train, data.defective, batch=5, seed=0, every_good=True), 30)
    share = len(data.defective) / (len(data.train) + len(data.defective))
    assert np.mean([batch["label"] for batch in batches]) == pytest.approx(share, abs=0.03)


def test_kinds_of_defect_are_told_and_drawn_alike(tmp_path):
    data = load("synthetic", cache=tmp_path, **DRAWN | {"surfaces": (4, 9), "train_defective": 3})
    kinds = sorted({entry.kind for entry in data.defective.records})
    assert len(kinds) == 2
    made = lambda named: labelled(data.train, data.defective, batch=6, seed=0, kinds=named)
    batches = take(made(kinds), 40)
    told, labels = (np.concatenate([batch[name] for batch in batches]) for name in ("kind", "label"))
    assert np.array_equal(told > 0, labels == 1)
    assert np.bincount(told).min() > 60 and np.bincount(told).max() < 100  # of 240
    with pytest.raises(ValueError, match="kind 'dent': no defective training image is of that kind; those there are: "):
        next(labelled(data.train, data.defective, batch=6, seed=0, kinds=[*kinds, "dent"]))
    with pytest.raises(ValueError, match=f"kind {kinds[1]!r}: it is not among them; those there are: "):
        next(made(kinds[:1]))


def test_step_k_is_the_same_however_it_is_reached_and_whoever_makes_it(data):
    how = {"batch": 4, "seed": 3, "patch": 32, "flips": True}
    straight = take(labelled(data.train, data.defective, **how), 6)
    resumed = take(labelled(data.train, data.defective, start_step=4, **how), 2)
    halves = [
        take(labelled(data.train, data.defective, start_step=4, process_index=i, process_count=2, **how), 2)
        for i in (0, 1)
    ]
    for step in (0, 1):
        for name, values in straight[4 + step].items():
            np.testing.assert_array_equal(values, resumed[step][name])
            np.testing.assert_array_equal(values, np.concatenate([half[step][name] for half in halves]))


def test_a_window_of_a_defective_image_holds_a_part_of_the_defect(data):
    for batch in take(labelled(data.train, data.defective, batch=8, seed=0, patch=20), 10):
        assert batch["image"].shape == (8, 20, 20, 1)
        np.testing.assert_array_equal(batch["mask"].any((1, 2)), batch["label"] == 1)


def test_of_an_image_without_outline_only_the_label_is_told(data):
    has_mask = lambda count: {
        sample["image"][i].tobytes()
        for sample in take(labelled(data.train, data.defective, batch=6, seed=0, masks=count), 10)
        for i in np.flatnonzero((sample["label"] == 1) & (sample["has_mask"] == 1))
    }
    assert [len(has_mask(count)) for count in (0, 2, -1)] == [0, 2, len(data.defective)]
    assert has_mask(1) < has_mask(3)  # Fewer are among more.
    for batch in take(labelled(data.train, data.defective, batch=6, seed=0, masks=0), 4):
        assert not batch["mask"].any() and 0 < batch["label"].sum() < 6
        np.testing.assert_array_equal(batch["has_mask"], 1 - batch["label"])


def test_what_cannot_be_trained_on_is_refused_by_name(data):
    with pytest.raises(ValueError, match=r"no defective images to learn from.*data\.train_defective"):
        next(labelled(data.train, data.defective.part([]), batch=2, seed=0))
    with pytest.raises(ValueError, match=r"smaller than train\.patch = 80"):
        next(labelled(data.train, data.defective, batch=2, seed=0, patch=80))
    with pytest.raises(ValueError, match=r"windows about defects.*train\.patch=0"):
        next(labelled(data.train, data.defective, batch=2, seed=0, patch=20, masks=2))
    bare = data.defective.part([0])
    bare._sample = lambda index: data.defective[index]._replace(mask=np.zeros((64, 64), np.uint8))
    with pytest.raises(ValueError, match=f"{data.defective.records[0].id} is filed as defective, but its mask"):
        take(labelled(data.train, bare, batch=2, seed=0), 2)
    mixed = load("synthetic", cache=False, **DRAWN | {"size": 96})
    with pytest.raises(ValueError, match=r"train\.patch = 0 .* 2 from"):
        next(labelled(data.train, mixed.defective, batch=2, seed=0))
