"""What a flaw looks like: (key, image, source) -> image, float32 [H, W, C] in [0, 1]; a source is another normal image.

Strengths are multiples of the image's contrast, so that a flaw is as visible on a flat surface as on a busy one, from
barely to plainly.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxdefect.flaws import seamless, shapes
from jaxdefect.flaws.shapes import log_uniform
from jaxdefect.maps.residuals import box_filter

CONTRASTS = (1.0, 10.0)  # by how many contrasts of the image a flaw is darker or brighter
FLAT = 0.02  # the contrast of an image that has less
SMEARED = 9  # places that a smear averages


def contrast(image: jax.Array) -> jax.Array:
    """How far grey levels lie from those about them, a root mean square, at least FLAT: light that changes slowly does
    not count."""
    grey = jnp.mean(image, -1)[None]
    around = box_filter(grey, 2 * (min(image.shape[:2]) // 16) + 1)
    return jnp.maximum(jnp.sqrt(jnp.mean(jnp.square(grey - around))), FLAT)


def over(image: jax.Array, cover: jax.Array, ink: jax.Array) -> jax.Array:
    """The image with ink on it where it is covered. cover [H, W]."""
    return jnp.clip(image + cover[..., None] * (ink - image), 0, 1)


def mean_under(cover: jax.Array, image: jax.Array) -> jax.Array:
    """[C]: the mean of the image where it is covered."""
    return jnp.sum(image * cover[..., None], (0, 1)) / jnp.maximum(jnp.sum(cover), 1e-6)


def shade(key: jax.Array, image: jax.Array) -> jax.Array:
    """[C]: a change of grey level, darker or brighter, nearly the same in all channels."""
    size_key, sign_key, colour_key = jax.random.split(key, 3)
    size = contrast(image) * log_uniform(size_key, *CONTRASTS) * jax.random.rademacher(sign_key, ())
    return size * (1 + 0.3 * jax.random.normal(colour_key, image.shape[-1:]) * (image.shape[-1] > 1))


def stain(key: jax.Array, image: jax.Array, source: jax.Array, *, shape: Callable = shapes.stain) -> jax.Array:
    """One grey level over a blob, which lets more or less of the surface through."""
    del source
    shape_key, shade_key, opacity_key = jax.random.split(key, 3)
    cover = shape(shape_key, *image.shape[:2])
    surface = 1 - jax.random.uniform(opacity_key)  # how much of the texture beneath is lost
    ink = image + surface * (mean_under(cover, image) - image) + shade(shade_key, image)
    return over(image, cover, ink)


def spot(key: jax.Array, image: jax.Array, source: jax.Array) -> jax.Array:
    """A small dark or bright spot."""
    return stain(key, image, source, shape=shapes.spot)


def line(key: jax.Array, image: jax.Array, source: jax.Array) -> jax.Array:
    """A thin dark or bright line."""
    return stain(key, image, source, shape=shapes.line)


def perlin(key: jax.Array, image: jax.Array, source: jax.Array) -> jax.Array:
    """Another texture shows through where Perlin noise is high. Source: Zavrtanik et al., "DRAEM", ICCV 2021."""
    shape_key, texture_key, opacity_key = jax.random.split(key, 3)
    opacity = 1 - jax.random.uniform(opacity_key, maxval=0.8)
    cover = opacity * shapes.perlin(shape_key, *image.shape[:2])
    return over(image, cover, texture(texture_key, image, source))


def texture(key: jax.Array, image: jax.Array, source: jax.Array) -> jax.Array:
    """Something else to see: the source moved, mirrored, stretched in grey level, or noise of a random grain."""
    move_key, gain_key, shade_key, noise_key, frame_key, grain_key, which_key = jax.random.split(key, 7)
    moved = elsewhere(move_key, source)
    mean = jnp.mean(moved, (0, 1))
    moved = mean + (moved - mean) * log_uniform(gain_key, 0.3, 3.0)
    along, across = shapes.about_a_place(frame_key, *image.shape[:2])  # The noise is 0 at the corners of its cells.
    cells = log_uniform(grain_key, 4.0, shapes.CELLS)
    noise = mean + 2 * contrast(image) * shapes.perlin_noise(noise_key, along * cells, across * cells)[..., None]
    chosen = jnp.where(jax.random.bernoulli(which_key, 0.7), moved, noise)
    return jnp.clip(chosen + shade(shade_key, image) / 2, 0, 1)


def elsewhere(key: jax.Array, source: jax.Array) -> jax.Array:
    """The source shifted by up to twice its size, mirrored where it ends: no seam shows, and half of it is turned."""
    for axis, axis_key in enumerate(jax.random.split(key)):
        size = source.shape[axis]
        place = (jnp.arange(size) + jax.random.randint(axis_key, (), 0, 2 * size)) % (2 * size)
        source = jnp.take(source, jnp.minimum(place, 2 * size - 1 - place), axis)
    return source


def cutpaste(key: jax.Array, image: jax.Array, source: jax.Array, *, shape: Callable = shapes.patch) -> jax.Array:
    """A piece of the source in another place, nearer to the brightness there, more or less opaque.

    Source: Li et al., "CutPaste", 2021, where all of them are plain to see.
    """
    shape_key, move_key, near_key, gain_key, shade_key, opacity_key = jax.random.split(key, 6)
    cover = shape(shape_key, *image.shape[:2])
    piece = elsewhere(move_key, source)
    here, there = (mean_under(cover, x) for x in (image, piece))
    brightness = there + jax.random.uniform(near_key) * (here - there)
    piece = brightness + (piece - there) * jax.random.uniform(gain_key, minval=0.8, maxval=1.25)
    opacity = 1 - jax.random.uniform(opacity_key, maxval=0.7)
    return over(image, opacity * cover, piece + 0.25 * shade(shade_key, image))


def scar(key: jax.Array, image: jax.Array, source: jax.Array) -> jax.Array:
    """The same, long and narrow and turned."""
    return cutpaste(key, image, source, shape=shapes.scar)


def nsa(key: jax.Array, image: jax.Array, source: jax.Array) -> jax.Array:
    """A piece of the source, larger or smaller than it was, blended in without a seam.

    Source: Schlueter, Tan, Hou, Kainz, "Natural synthetic anomalies", ECCV 2022: half the length of a side is
    gamma(2, .05) + .03 of the image's, from .03 to .4.
    """
    size_key, place_key, scale_key, from_key, strength_key = jax.random.split(key, 5)
    sides = jnp.array(image.shape[:2])
    share = jnp.clip(jax.random.gamma(size_key, 2.0, (2,)) * 0.05 + 0.03, 0.03, 0.4)
    lengths = jnp.clip(jnp.round(2 * share * sides), 2, sides - 2)
    first = 1 + jnp.floor(jax.random.uniform(place_key, (2,)) * (sides - 1 - lengths))
    piece = resized(from_key, source, log_uniform(scale_key, 0.5, 2.0))
    blended = seamless.blend(image, piece, *first, *lengths)
    strength = 1 - 0.5 * jax.random.uniform(strength_key)
    return jnp.clip(image + strength * (blended - image), 0, 1)


def resized(key: jax.Array, source: jax.Array, scale: jax.Array) -> jax.Array:
    """A random window of the source, at another scale; what lies beyond its edges is mirrored."""
    height, width = source.shape[:2]
    corner = jax.random.uniform(key, (2,)) * jnp.array([height, width])
    return sample(source, corner[0] + jnp.arange(height)[:, None] / scale, corner[1] + jnp.arange(width) / scale)


def sample(image: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """[H, W, C]: the image at these places in pixels, bilinear; beyond its edges it is mirrored."""
    mirror = lambda place, size: (size - 1) - jnp.abs((size - 1) - place % max(2 * (size - 1), 1))
    rows, columns = jnp.broadcast_arrays(mirror(rows, image.shape[0]), mirror(columns, image.shape[1]))
    top, left = (jnp.floor(x).astype(jnp.int32) for x in (rows, columns))
    bottom, right = jnp.minimum(top + 1, image.shape[0] - 1), jnp.minimum(left + 1, image.shape[1] - 1)
    down, across = (rows - top)[..., None], (columns - left)[..., None]
    upper = image[top, left] * (1 - across) + image[top, right] * across
    lower = image[bottom, left] * (1 - across) + image[bottom, right] * across
    return upper * (1 - down) + lower * down


def smear(key: jax.Array, image: jax.Array, source: jax.Array) -> jax.Array:
    """The surface wiped in one direction within a blob."""
    del source
    shape_key, angle_key, reach_key = jax.random.split(key, 3)
    height, width = image.shape[:2]
    margin = max(1, min(height, width) // 8)
    reach = jnp.maximum(log_uniform(reach_key, 0.02, 0.12) * min(height, width), 1)
    angle = jax.random.uniform(angle_key, maxval=math.pi)
    padded = jnp.pad(image, ((margin, margin), (margin, margin), (0, 0)), "symmetric")
    wiped = jnp.zeros_like(image)
    for t in jnp.linspace(-1, 1, SMEARED):
        shift = jnp.round(reach * t * jnp.stack([jnp.sin(angle), jnp.cos(angle)])).astype(jnp.int32)
        wiped += jax.lax.dynamic_slice(padded, (margin + shift[0], margin + shift[1], 0), image.shape) / SMEARED
    return over(image, shapes.stain(shape_key, height, width, low=0.04, high=0.25), wiped)


def fold(key: jax.Array, image: jax.Array, source: jax.Array) -> jax.Array:
    """The surface pushed aside within a blob: bent, dented, misaligned."""
    return pushed(key, image, source, major=(0.04, 0.25), minor=(0.04, 0.25), aligned=False)


def slip(key: jax.Array, image: jax.Array, source: jax.Array) -> jax.Array:
    """The same along a narrow strip, up to right across: a thread missing or out of place, a seam, a misprint."""
    return pushed(key, image, source, major=(0.15, 1.5), minor=(0.01, 0.05), aligned=True)


def pushed(
    key: jax.Array, image: jax.Array, source: jax.Array, *,
    major: tuple[float, float], minor: tuple[float, float], aligned: bool,
) -> jax.Array:  # fmt: skip
    """The surface pushed aside where a Gaussian is high, of which these are the least and the greatest widths."""
    del source
    frame_key, size_key, push_key, angle_key = jax.random.split(key, 4)
    height, width = image.shape[:2]
    along, across = shapes.about_a_place(frame_key, height, width, aligned=aligned)
    major_key, minor_key = jax.random.split(size_key)
    length = log_uniform(major_key, *major)
    breadth = jnp.maximum(log_uniform(minor_key, *minor), 1.25 / min(height, width))  # Pixels: less is noise.
    bump = jnp.exp(-((along / length) ** 2 + (across / breadth) ** 2))
    push = jnp.maximum(log_uniform(push_key, 0.01, 0.08) * min(height, width), 1.5) * bump
    angle = jax.random.uniform(angle_key, maxval=2 * math.pi)
    rows, columns = jnp.arange(height)[:, None], jnp.arange(width)
    return sample(image, rows + push * jnp.sin(angle), columns + push * jnp.cos(angle))


KINDS: dict[str, Callable[[jax.Array, jax.Array, jax.Array], jax.Array]] = {
    "stain": stain, "spot": spot, "line": line, "perlin": perlin, "nsa": nsa, "cutpaste": cutpaste, "scar": scar,
    "smear": smear, "fold": fold, "slip": slip,
}  # fmt: skip
