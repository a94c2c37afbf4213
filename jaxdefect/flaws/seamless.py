"""Poisson blending: a piece of another image goes in without a seam. Images are float32 [H, W, C]."""

import math

import jax
import jax.numpy as jnp


def blend(image: jax.Array, source: jax.Array, top: jax.Array, left: jax.Array, rows: jax.Array, columns: jax.Array):
    """The image with what the source has in a rectangle, each edge between pixels as steep as in either of both.

    The border of the image keeps its values. Solves Poisson's equation over the inside of the rectangle, `rows` x
    `columns` pixels from (top, left) on, with the image's own values around it: two sine transforms as matrix products,
    so that the rectangle may be drawn. Source: Perez, Gangnet, Blake, "Poisson image editing", 2003, mixed gradients.
    """
    height, width = image.shape[:2]
    down, across = _sines(height, top, rows), _sines(width, left, columns)
    slopes = []
    for axis in (0, 1):
        ours, theirs = (jnp.diff(x, axis=axis) for x in (image, source))
        steeper = jnp.where(jnp.abs(theirs) > jnp.abs(ours), theirs - ours, 0)
        ends = [(0, 0)] * 3
        ends[axis] = (1, 1)
        slopes.append(jnp.diff(jnp.pad(steeper, ends), axis=axis))
    divergence = slopes[0] + slopes[1]
    squeeze = lambda count, size: 2 * jnp.cos(math.pi * jnp.arange(1, size + 1) / (count + 1)) - 2
    eigenvalues = squeeze(rows, height)[:, None] + squeeze(columns, width)
    exact = jax.lax.Precision.HIGHEST
    spectrum = jnp.einsum("yk,yxc,xl->klc", down, divergence, across, precision=exact, optimize=[(0, 1), (0, 1)])
    spectrum = spectrum / jnp.minimum(eigenvalues, -1e-6)[..., None]
    change = jnp.einsum("yk,klc,xl->yxc", down, spectrum, across, precision=exact, optimize=[(0, 1), (0, 1)])
    return image + change


def _sines(size: int, first: jax.Array, count: jax.Array) -> jax.Array:
    """[size, size]: the sine transform of the `count` pixels from `first` on; zeros elsewhere."""
    place = jnp.arange(size)[:, None] - first + 1
    wave = jnp.arange(1, size + 1)
    inside = (place >= 1) & (place <= count) & (wave <= count)
    return jnp.where(inside, jnp.sqrt(2 / (count + 1)) * jnp.sin(math.pi * place * wave / (count + 1)), 0)
