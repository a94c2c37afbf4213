"""Tiny classifiers and their images."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.training import loop
from tests.contract.steps import textures, tiny

SIDE = 32
IMAGES = np.stack(textures(8, SIDE)).astype(np.float32) / 255
LABELS = np.arange(8, dtype=np.int32) % 2


def begun(name, **settings):
    """(state, step, score) of a tiny detector, compiled."""
    detector, _ = tiny(name, **settings)
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(jnp.asarray(IMAGES)))
    return state, loop.jit_once(parallel.on_one_device(detector.step)), loop.jit_once(detector.score)
