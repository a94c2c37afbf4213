"""Boxes of whole pixels, drawn at random."""

import numpy as np


def some(count, side=20, seed=0):
    """Boxes of whole pixels in an image of side x side: float32 [count, 4]."""
    corners = np.sort(np.random.default_rng(seed).integers(0, side + 1, (count, 2, 2)), 1)
    return corners.reshape(count, 4).astype(np.float32)


def as_pixels(box, side=20):
    pixels, (top, left, bottom, right) = np.zeros((side, side), bool), box.astype(int)
    pixels[top:bottom, left:right] = True
    return pixels
