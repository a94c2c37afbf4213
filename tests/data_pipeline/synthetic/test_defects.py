"""Synthetic defects: an image is defective exactly where the mask says so, and as large as published."""

import numpy as np
import pytest
from scipy import ndimage

from data_pipeline.layouts.synthetic import SURFACES, draw
from data_pipeline.synthetic.defects import KINDS
from tests.drilled import drilled

SIZES = ((64, 64), (256, 256), (96, 200))


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


@pytest.mark.parametrize("surface", [1, 6, 9, *drilled(2, 3, 4, 5, 7, 8, 10)])
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
