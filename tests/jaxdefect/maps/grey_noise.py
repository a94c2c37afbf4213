"""Smooth grey noise of mean 0."""

import numpy as np
from scipy import ndimage

RNG = np.random.default_rng(0)
GREY = ndimage.gaussian_filter(RNG.normal(size=(2, 40, 50)), (0, 1, 1))
GREY -= GREY.mean((1, 2), keepdims=True)
