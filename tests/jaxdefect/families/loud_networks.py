"""Weights large enough to say something untrained."""

import jax
import numpy as np

from tests.contract.steps import textures

IMAGES = np.stack(textures(4, 16)).astype(np.float32) / 255


def scaled(tree, name: str, factor: float):
    """The leaves with this in their path, times a factor."""
    change = lambda path, leaf: factor * leaf if name in jax.tree_util.keystr(path) else leaf
    return jax.tree_util.tree_map_with_path(change, tree)
