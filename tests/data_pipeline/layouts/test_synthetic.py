"""The synthetic surfaces: seeded, independent of each other, listed as they are drawn."""

import hashlib

import pytest

from data_pipeline.layouts.synthetic import SURFACES, records
from data_pipeline.synthetic.defects import KINDS


def digest(record) -> str:
    image, mask = record.draw()
    return hashlib.sha256(image.tobytes() + mask.tobytes()).hexdigest()


def few(**options):
    return list(records(surfaces=SURFACES, size=64, train=2, test_good=2, test_defective=2, **options))


def test_the_same_seed_draws_the_same_bytes_and_another_seed_others():
    first, again, other = few(seed=5), few(seed=5), few(seed=6)
    assert [r.id for r in first] == [r.id for r in again]
    assert [digest(r) for r in first] == [digest(r) for r in again]
    assert not {digest(r) for r in first} & {digest(r) for r in other}


def test_an_image_depends_on_no_other_image():
    forwards = {r.id: digest(r) for r in few()}
    backwards = {r.id: digest(r) for r in reversed(few())}
    assert forwards == backwards and len(set(forwards.values())) == len(forwards) == 60
    alone = records(surfaces=(4,), size=64, train=0, test_good=0, test_defective=2)
    assert {r.id: digest(r) for r in alone}.items() <= forwards.items()
    more = records(surfaces=(9, 4), size=64, train=9, test_good=5, test_defective=1)
    assert all(forwards[r.id] == digest(r) for r in more if r.id in forwards)


def test_the_listing_says_what_is_drawn():
    listed = list(records(surfaces=(2, 8), size=64, train=3, test_good=2, test_defective=4))
    assert len({r.id for r in listed}) == len(listed) == 18
    assert all(r.image is None and r.mask is None for r in listed)
    for record in listed:
        assert record.surface in ("Class2", "Class8")
        assert record.kind == (KINDS[int(record.surface.removeprefix("Class"))].name if record.label else "good")
        assert record.draw()[1].any() == bool(record.label)
    assert all(r.label == 0 for r in listed if r.split == "train")
    assert [sum(r.split == "test" and r.label == label for r in listed) for label in (0, 1)] == [4, 8]
    assert len({kind.name for kind in KINDS.values()}) == len(SURFACES) == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"surfaces": (3, 11)}, "surface 11 is not drawn; surfaces are numbers from 1 to 10"),
        ({"surfaces": ()}, "at least one"),
        ({"surfaces": (2, 2)}, "none twice"),
        ({"size": 32}, r"size \(32, 32\) .* from 64 to 2048"),
        ({"size": (64, 64, 1)}, "height, width"),
        ({"test_good": -1}, "test_good"),
        ({"test_good": 0.3}, "whole numbers"),
        ({"contrast": -0.5}, "contrast -0.5"),
        ({"contrast": float("nan")}, "contrast nan"),
        ({"labels": "boxes"}, "labels 'boxes' are unknown; give one of exact, ellipse"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_a_wrong_option_is_named_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        records(**options)
