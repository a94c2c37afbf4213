"""Backbones with random weights drawn quickly, and the detectors on them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect import backbones
from jaxdefect.backbones import patch_features
from tests.contract.steps import textures, tiny

as_drawn = backbones.init


@functools.cache
def drawn(name):
    """Random variables of a backbone, by numpy: JAX would compile a program for each shape of kernel."""
    shapes = jax.eval_shape(lambda: as_drawn(backbones.load(name, width=4), jax.random.key(0)))
    rng = np.random.default_rng(0)

    def fill(path, leaf):
        if path[-1].key in ("scale", "var"):
            return np.ones(leaf.shape, np.float32)
        return rng.normal(0, np.sqrt(2 / np.prod(leaf.shape[:-1])), leaf.shape).astype(np.float32)

    return jax.tree.map_with_path(fill, shapes) | {
        "input": {key: np.array(value, np.float32) for key, value in backbones.IMAGENET.items()}
    }


def sample_images(count=4, size=64, seed=0):
    return jnp.asarray(np.stack(textures(count, size, seed=seed)), jnp.float32) / 255


def joined(**settings):
    common = {"backbone": "small", "width": 4, "file": "", "stages": (0, 1), "size": 0, "margin": 0, "smoothing": 0}
    seen = patch_features.feature_maps(**(common | settings))
    return seen._replace(cells=jax.jit(seen.cells))


@functools.cache
def compiled(name, **settings):
    """(detector with compiled functions, its first state)."""
    detector, _ = tiny(name, **settings)
    state = detector.init(jax.random.key(0), None)
    fast = {part: jax.jit(getattr(detector, part)) for part in ("score", "calibrate", "finalize")}
    return detector._replace(**fast), state


def gathered(name, batches, **settings):
    """(detector, its state closed over these batches of normal images)."""
    detector, state = compiled(name, **settings)
    for batch in batches:
        state = detector.calibrate(state, batch)
    return detector, detector.finalize(state)


def one_by_one(images):
    return [image[None] for image in images]
