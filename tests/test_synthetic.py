"""The synthetic surfaces: seeded, independent of each other, and defective exactly where the mask says so."""

import hashlib

import numpy as np
import pytest
from scipy import ndimage

from data_pipeline.layouts.synthetic import SURFACES, draw, records
from data_pipeline.synthetic.defects import KINDS

SIZES = ((64, 64), (256, 256), (96, 200))


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


def test_a_image_depends_on_no_other_image():
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


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("size", SIZES)
def test_every_surface_fills_its_grey_levels_at_every_size(surface, size):
    image, mask = draw(surface, "train", 0, 0, size=size)
    assert image.shape == (*size, 1) and mask.shape == size and image.dtype == mask.dtype == np.uint8
    assert 8 < image.std() < 90 and 60 < image.mean() < 200
    assert not mask.any()
    image, mask = draw(surface, "test", 1, 0, size=size)
    assert image.shape == (*size, 1) and set(np.unique(mask)) == {0, 1}


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("size", SIZES)
def test_a_defect_changes_the_image_inside_its_mask_and_nowhere_else(surface, size):
    for number in range(6):
        surface_only, _ = draw(surface, "test", 1, number, size=size, contrast=0.0)
        image, exact = draw(surface, "test", 1, number, size=size)
        _, ellipse = draw(surface, "test", 1, number, size=size, labels="ellipse")
        change = np.abs(image[..., 0].astype(int) - surface_only[..., 0])
        assert not change[exact == 0].any()
        assert (change[exact == 1] > 0).mean() > 0.5 and change.max() > 12
        assert ellipse[exact == 1].all(), "the weak label holds the defect"


@pytest.mark.parametrize("surface", SURFACES)
def test_contrast_scales_the_change(surface):
    drawn = [draw(surface, "test", 1, 3, contrast=c)[0].astype(float) for c in (0.0, 0.3, 0.6)]
    faint, strong = (np.abs(d - drawn[0]).sum() for d in drawn[1:])
    assert 1.6 < strong / faint < 2.4


@pytest.mark.parametrize("surface", SURFACES)
def test_label_areas_follow_the_published_ones(surface):
    kind = KINDS[surface]
    masks = [draw(surface, "test", 1, n, labels="ellipse", size=(256, 256))[1] for n in range(60)]
    areas = np.array([m.sum(dtype=int) for m in masks]) * 4  # The table is for 512 x 512.
    rim = 4 * np.sqrt(areas)  # An outline on the pixel grid is right to about half a pixel.
    assert (areas >= kind.smallest_area - rim).all() and (areas <= kind.largest_area + rim).all()
    assert kind.median_area / 1.3 < np.median(areas) < kind.median_area * 1.3
    assert all(ndimage.label(m)[1] == 1 for m in masks)


@pytest.mark.parametrize("surface", SURFACES)
def test_defects_lie_all_over_the_image(surface):
    centres = np.array(
        [ndimage.center_of_mass(draw(surface, "test", 1, n, size=(128, 128), labels="ellipse")[1]) for n in range(40)]
    )
    assert (np.abs(centres.mean(0) - 63.5) < 16).all() and (centres.std(0) > 6).all()


def test_opposite_edges_do_not_continue_each_other():
    image = draw(5, "train", 0, 0)[0][..., 0].astype(float)
    seam = np.corrcoef(image[0], image[-1])[0, 1]
    assert abs(seam) < 0.6 < np.corrcoef(image[0], image[1])[0, 1]


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
