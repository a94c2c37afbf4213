"""Synthetic surfaces fill their grey levels at every size."""

import numpy as np
import pytest

from data_pipeline.layouts.synthetic import SURFACES, draw

SIZES = ((64, 64), (256, 256), (96, 200))


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("size", SIZES)
def test_every_surface_fills_its_grey_levels_at_every_size(surface, size):
    image, mask = draw(surface, "train", 0, 0, size=size)
    assert image.shape == (*size, 1) and mask.shape == size and image.dtype == mask.dtype == np.uint8
    assert 8 < image.std() < 90 and 60 < image.mean() < 200
    assert not mask.any()
    image, mask = draw(surface, "test", 1, 0, size=size)
    assert image.shape == (*size, 1) and set(np.unique(mask)) == {0, 1}


def test_opposite_edges_do_not_continue_each_other():
    image = draw(5, "train", 0, 0)[0][..., 0].astype(float)
    seam = np.corrcoef(image[0], image[-1])[0, 1]
    assert abs(seam) < 0.6 < np.corrcoef(image[0], image[1])[0, 1]
