"""Tiny classifiers and their images."""

from functools import partial

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
quick = partial(jax.jit, compiler_options=loop.quick_to_compile())


def begun(name, **settings):
    """(state, step, score) of a tiny detector, compiled."""
    detector, _ = tiny(name, **settings)
    state = quick(detector.init)(jax.random.key(0), Batch(jnp.asarray(IMAGES)))
    return state, quick(parallel.on_one_device(detector.step)), quick(detector.score)
