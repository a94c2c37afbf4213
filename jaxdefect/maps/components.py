"""Connected components on the device: what hangs together in a mask, and what is too small to be a defect.

Masks are [H, W] or [B, H, W], zero where there is nothing; pixels touching at a corner belong together
(8-connectivity, as in the published code of the per-region overlap). Shapes are static, everything else may be traced.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax


@jax.jit
def label_components(mask: Array) -> Array:
    """Numbers the components of each image 1, 2, ... in the raster order of their first pixel; 0 is background.

    mask [H, W] or [B, H, W] of any dtype, anything but zero is foreground. Returns int32 of the same shape, so that
    the maximum over an image is its number of components.
    Raises ValueError on another number of dimensions, or on 2^31 pixels and more.
    """
    images = _as_batch(mask)
    first = _first_pixels(images)
    is_first = first[:-1] == jnp.arange(images.size, dtype=jnp.int32)
    batch, height, width = images.shape
    numbers = jnp.cumsum(is_first.reshape(batch, height * width), axis=1, dtype=jnp.int32)
    labels = jnp.append(numbers.ravel(), 0)[first]
    return labels[:-1].reshape(mask.shape)


@jax.jit
def remove_small(mask: Array, min_area: int | Array) -> Array:
    """Clears the components of fewer than `min_area` pixels; keeps shape and dtype of the mask.

    mask [H, W] or [B, H, W]; min_area in pixels, may be traced, so that a sweep over it compiles once.
    Raises ValueError as `label_components` does.
    """
    first = _first_pixels(_as_batch(mask))
    area = jnp.zeros(first.shape, jnp.int32).at[first].add(1)
    keep = area[first] >= min_area
    return jnp.where(keep[:-1].reshape(mask.shape), mask, jnp.zeros_like(mask))


def _as_batch(mask: Array) -> Array:
    if mask.ndim not in (2, 3):
        raise ValueError(f"a mask of shape {mask.shape} is neither one image [H, W] nor a batch [B, H, W]")
    if mask.size >= 2**31:
        raise ValueError(f"{mask.size} pixels in one call cannot be numbered in int32; label fewer images at a time")
    return (mask != 0) if mask.ndim == 3 else (mask != 0)[None]


def _first_pixels(images: Array) -> Array:
    """For every pixel the flat index of the first pixel of its component; background points one past the end.

    Every pixel points at an earlier pixel of its component, at first at itself. A round lets the pixel pointed at
    take over the earliest pointer seen around those that point at it, then follows pointers four times as far. When a
    round changes nothing, neighbours agree. A pointer only ever moves to an earlier pixel, so the loop ends; a spiral
    that fills 1024^2 pixels takes 12 rounds, random blobs 6.
    images bool [B, H, W] -> int32 [B * H * W + 1].
    """
    nowhere = images.size
    itself = jnp.arange(nowhere, dtype=jnp.int32).reshape(images.shape)
    start = jnp.append(jnp.where(images, itself, nowhere), nowhere)

    def one_round(carry):
        pointer, _ = carry
        around = _least_of_3x3(pointer[:-1].reshape(images.shape), outside=nowhere)
        around = jnp.where(images, around, nowhere).ravel()
        hooked = pointer.at[pointer[:-1]].min(around)
        nearer = hooked[pointer]
        nearer = nearer[nearer]
        return nearer, jnp.any(nearer != pointer)

    return lax.while_loop(lambda carry: carry[1], one_round, (start, jnp.any(images)))[0]


def _least_of_3x3(x: Array, *, outside: int) -> Array:
    # Two shifted minima: lax.reduce_window costs five times as much on a CPU.
    for axis in (1, 2):
        padding = [(1, 1) if axis == dim else (0, 0) for dim in range(3)]
        padded = jnp.pad(x, padding, constant_values=outside)
        size = x.shape[axis]
        before = lax.slice_in_dim(padded, 0, size, axis=axis)
        after = lax.slice_in_dim(padded, 2, size + 2, axis=axis)
        x = jnp.minimum(jnp.minimum(before, x), after)
    return x
