"""The layers of networks in NumPy and SciPy."""

from functools import partial

import numpy as np

from jaxdefect import backbones
from jaxdefect.training import loop


def convolved(x, kernel, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], (1, 2))[:, ::stride, ::stride]
    return np.einsum("chwij,ocij->ohw", windows, kernel, optimize=True)


def pooled(x, padding):
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)), constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2].max((3, 4))


def relu(x):
    return np.maximum(x, 0)


def maps(name, variables, images, size):
    backbone = backbones.load(name)._replace(size=size)
    return loop.jit_once(partial(backbones.maps, backbone))(variables, images)


def normalised(image):
    """[H, W, 3] -> [3, H, W] as torchvision's transforms do."""
    return ((image - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(2, 0, 1)
