"""Textures and what each kind of flaw makes of them: one program a size, shared by the tests."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.flaws import corruption
from jaxdefect.flaws.kinds import KINDS
from jaxdefect.training import loop
from tests.drilled import drilled

SIZES = ((32, 32, 1), (72, 96, 3))
each_size = pytest.mark.parametrize("shape", [SIZES[1], *drilled((SIZES[0],))])
COUNT = 48


def textures(shape, *, count=COUNT, contrast=0.06, seed=0) -> np.ndarray:
    """Woven images [count, H, W, C] with grain: no two alike, of about this contrast about grey .5."""
    rng = np.random.default_rng(seed)
    height, width, channels = shape
    y, x = np.mgrid[:height, :width]
    phase = rng.uniform(0, 6, (2, count, 1, 1, 1))
    weave = np.sin(x[..., None] / 1.5 + phase[0]) + np.sin(y[..., None] / 1.7 + phase[1])
    grain = rng.normal(0, 0.5, (count, height, width, channels))
    return np.clip(0.5 + contrast * (weave + grain) / 1.1, 0, 1).astype(np.float32)


def keys(count=COUNT, seed=0) -> jax.Array:
    return jax.random.split(jax.random.key(seed), count)


def all_kinds(keys, images, sources) -> dict[str, corruption.Corrupted]:
    """What `corrupt` makes of the images with each kind alone and share 1."""
    return _compiled(images.shape)(keys, images, sources)


@functools.cache
def _compiled(shape):
    """Kept from file to file, which JAX's own cache is not."""
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    each = lambda *arrays: {kind: corruption.corrupt(*arrays, kinds=(kind,), share=1.0) for kind in KINDS}
    return loop.jit_once(each).lower(keys(shape[0]), images, images).compile()


@functools.cache
def made(shape):
    """(images, {kind: Corrupted}) of a size."""
    images = textures(shape)
    return images, jax.device_get(all_kinds(keys(), images, np.roll(images, 1, 0)))


def corrupt(keys, images, sources, *, kinds, share=1.0) -> corruption.Corrupted:
    """`corruption.corrupt`, one program of kinds for all shares."""
    return jax.device_get(_corrupt(kinds)(keys, images, sources, jnp.float32(share)))


@functools.cache
def _corrupt(kinds):
    return loop.jit_once(lambda *arrays: corruption.corrupt(*arrays[:3], kinds=kinds, share=arrays[3]))
