"""From images and reconstructions to anomaly maps: residuals, mean filters, padding.

Images are [B, H, W, C] in [0, 1], maps [B, H, W]; a higher value is worse.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxdefect.losses.reconstruction import WINDOW, ssim_map


def squared(images: jax.Array, reconstructions: jax.Array) -> jax.Array:
    """Squared residual, averaged over channels (ReNet-D Eq. 9)."""
    return jnp.mean(jnp.square(images - reconstructions), -1)


def absolute(images: jax.Array, reconstructions: jax.Array) -> jax.Array:
    """Absolute residual, averaged over channels."""
    return jnp.mean(jnp.abs(images - reconstructions), -1)


def dissimilarity(images: jax.Array, reconstructions: jax.Array) -> jax.Array:
    """1 - SSIM of the window around each pixel, averaged over channels; the border is mirrored."""
    margin = ((0, 0), (WINDOW // 2,) * 2, (WINDOW // 2,) * 2, (0, 0))
    a, b = (jnp.pad(x, margin, "symmetric") for x in (images, reconstructions))
    return 1 - jnp.mean(ssim_map(a, b), -1)


RESIDUALS: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "squared": squared,
    "absolute": absolute,
    "ssim": dissimilarity,
}


def window_sum(x: jax.Array, size: int, axis: int) -> jax.Array:
    """Sums of `size` neighbours along an axis, VALID. Doubling: log2(size) additions, no cancellation."""
    take = lambda y, start, length: jax.lax.slice_in_dim(y, start, start + length, axis=axis)
    out = x.shape[axis] - size + 1
    total, done, power, run = None, 0, 1, x
    while power <= size:
        if size & power:
            part = take(run, done, out)
            total = part if total is None else total + part
            done += power
        if 2 * power <= size:
            length = run.shape[axis] - power
            run = take(run, 0, length) + take(run, power, length)
        power *= 2
    return total


def box_filter(maps: jax.Array, size: int) -> jax.Array:
    """Mean filter over size x size pixels of [B, H, W] or [B, H, W, C] (odd size); the border is mirrored.

    Equal to `scipy.ndimage.uniform_filter(map, size)`.
    """
    if size == 1:
        return maps
    margin = [(0, 0), (size // 2,) * 2, (size // 2,) * 2] + [(0, 0)] * (maps.ndim - 3)
    padded = jnp.pad(maps, margin, "symmetric")
    return window_sum(window_sum(padded, size, 1), size, 2) / size**2


def check_box(size: int) -> None:
    """Raises ValueError for a mean filter that has no middle."""
    if size < 1 or size % 2 == 0:
        raise ValueError(f"settings.box = {size}; the mean filter needs an odd number of pixels, such as 5; 1 for none")


def pad_to_multiple(images: jax.Array, multiple: int) -> jax.Array:
    """Mirrors the lower and right border of [B, H, W, C] until H and W are multiples of `multiple`."""
    height, width = images.shape[1:3]
    return jnp.pad(images, ((0, 0), (0, -height % multiple), (0, -width % multiple), (0, 0)), "symmetric")


def resize(images: jax.Array, height: int, width: int) -> jax.Array:
    """[B, H, W, C] or [B, H, W] at another size: bilinear, averaging where it shrinks. The right size is left alone."""
    if images.shape[1:3] == (height, width):
        return images
    return jax.image.resize(images, (len(images), height, width, *images.shape[3:]), "linear")


def local_variance(residuals: jax.Array, size: int) -> jax.Array:
    """Variance within size x size pixels (odd) around each pixel of [B, H, W]; the border is mirrored.

    A residual that is even all over is a shift of brightness, one that varies a defect (MAA, Section III-G).
    """
    centred = residuals - jnp.mean(residuals, (1, 2), keepdims=True)  # Else squares of a large mean nearly cancel.
    return jnp.maximum(box_filter(jnp.square(centred), size) - jnp.square(box_filter(centred, size)), 0)
