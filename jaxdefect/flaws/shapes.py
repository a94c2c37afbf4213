"""Where a flaw lies: covers float32 [H, W] in [0, 1], drawn from a key. Lengths are shares of the shorter side."""

import math

import jax
import jax.numpy as jnp

POINTS = 20  # of a stain's outline
CELLS = 32  # of Perlin noise a side, at most
KNOTS = 16  # of what makes a line rough
SKEW = 0.2  # of an aligned flaw, at most so much of an eighth of a turn from the sides: 9 degrees


def coordinates(height: int, width: int) -> tuple[jax.Array, jax.Array]:
    """(rows [H, 1], columns [1, W]) of the pixels' middles, from the middle of the image, in shorter sides."""
    side = min(height, width)
    rows, columns = ((jnp.arange(n, dtype=jnp.float32) - (n - 1) / 2) / side for n in (height, width))
    return rows[:, None], columns[None]


def about_a_place(key: jax.Array, height: int, width: int, *, aligned: bool = False) -> tuple[jax.Array, jax.Array]:
    """(along, across) [H, W]: the coordinates of pixels about a random place, turned by a random angle; aligned: by
    nearly a multiple of a quarter, for threads, seams and prints run along the sides of an image."""
    rows, columns = coordinates(height, width)
    place_key, angle_key = jax.random.split(key)
    side = min(height, width)
    place = (jax.random.uniform(place_key, (2,)) - 0.5) * jnp.array([height / side, width / side])
    angle = jax.random.uniform(angle_key, maxval=2 * math.pi)
    if aligned:
        quarters = angle / (math.pi / 2)
        angle = (math.pi / 2) * (jnp.round(quarters) + SKEW * (quarters - jnp.round(quarters)))
    rows, columns = rows - place[0], columns - place[1]
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return cosine * columns + sine * rows, cosine * rows - sine * columns


def soft(inside: jax.Array, edge: jax.Array | float) -> jax.Array:
    """1 where `inside` is positive, 0 where it is negative, and a ramp of width `edge` between."""
    return jnp.clip(inside / edge + 0.5, 0, 1)


def log_uniform(key: jax.Array, low: float, high: float) -> jax.Array:
    """Between low and high, each factor as likely as any other."""
    return jnp.exp(jax.random.uniform(key, minval=math.log(low), maxval=math.log(high)))


def stain(key: jax.Array, height: int, width: int, *, low: float = 0.01, high: float = 0.12) -> jax.Array:
    """An ellipse with half axes from `low` to `high`, its outline drawn through POINTS random points.

    Source: Collin & De Vleeschouwer, "Improved anomaly detection by training an autoencoder with skip connections on
    images corrupted with stain-shaped noise", ICPR 2020.
    """
    frame_key, size_key, point_key, edge_key = jax.random.split(key, 4)
    along, across = about_a_place(frame_key, height, width)
    pixel = 1 / min(height, width)
    major, minor = (jnp.maximum(log_uniform(k, low, high), pixel) for k in jax.random.split(size_key))
    along, across = along / major, across / minor
    radius = 1 + 0.3 * jax.random.uniform(point_key, (POINTS,), minval=-1.0)
    outline = _around(radius, jnp.arctan2(across, along) / (2 * math.pi))
    edge = pixel * log_uniform(edge_key, 1.0, 4.0) / jnp.minimum(major, minor)
    return soft(outline - jnp.hypot(along, across), edge)


def _around(values: jax.Array, turns: jax.Array) -> jax.Array:
    """A closed cubic curve (Catmull-Rom) through evenly spaced values, at these turns."""
    place = (turns % 1) * len(values)
    first = jnp.floor(place)
    t = place - first
    a, b, c, d = (values[(first.astype(jnp.int32) + shift) % len(values)] for shift in (-1, 0, 1, 2))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def spot(key: jax.Array, height: int, width: int) -> jax.Array:
    """A small round spot."""
    return stain(key, height, width, low=0.008, high=0.035)


def patch(key: jax.Array, height: int, width: int) -> jax.Array:
    """An upright rectangle of 2-15 % of the image, wholly inside it, with aspects from .3 to 3.3 (CutPaste)."""
    area_key, aspect_key, *place_keys = jax.random.split(key, 4)
    area = jax.random.uniform(area_key, minval=0.02, maxval=0.15) * height * width
    aspect = jnp.sqrt(log_uniform(aspect_key, 0.3, 3.3))
    spans = []
    for place_key, length, size in zip(place_keys, (aspect, 1 / aspect), (height, width), strict=True):
        length = jnp.clip(jnp.round(jnp.sqrt(area) * length), 1, size - 1)
        first = jnp.floor(jax.random.uniform(place_key) * (size - length + 1))
        pixels = jnp.arange(size)
        spans.append((pixels >= first) & (pixels < first + length))
    return (spans[0][:, None] & spans[1]).astype(jnp.float32)


def scar(key: jax.Array, height: int, width: int) -> jax.Array:
    """A narrow turned rectangle, 2-16 by 10-25 pixels of 256 (CutPaste)."""
    frame_key, short_key, long_key = jax.random.split(key, 3)
    along, across = about_a_place(frame_key, height, width)
    pixel = 1 / min(height, width)
    half_width = jnp.maximum(log_uniform(short_key, 1 / 256, 8 / 256), pixel)
    half_length = jnp.maximum(jax.random.uniform(long_key, minval=5 / 256, maxval=12.5 / 256), 2 * pixel)
    return soft(jnp.minimum(half_length - jnp.abs(along), half_width - jnp.abs(across)), pixel)


def line(key: jax.Array, height: int, width: int) -> jax.Array:
    """A thin line that bends, tapers and is rough: what cracks and scratches look like."""
    frame_key, length_key, width_key, bend_key, rough_key, knot_key = jax.random.split(key, 6)
    along, across = about_a_place(frame_key, height, width)
    pixel = 1 / min(height, width)
    half_length = log_uniform(length_key, 0.05, 0.6)
    half_width = jnp.maximum(log_uniform(width_key, 1 / 400, 1 / 60), 0.5 * pixel)
    u = along / half_length
    bend, turn = half_length * jax.random.uniform(bend_key, (2,), minval=-0.5, maxval=0.5)
    rough = half_length * log_uniform(rough_key, 0.01, 0.08)  # At most as steep as it is long, about: no comb.
    knots = rough * jax.random.normal(knot_key, (KNOTS,))
    middle = bend * (u**2 - 0.5) + turn * (u**3 - u) + jnp.interp(u, jnp.linspace(-1, 1, KNOTS), knots)
    taper = jnp.sqrt(jnp.maximum(1 - u**2, 0))
    return soft(half_width * taper - jnp.abs(across - middle), pixel) * (jnp.abs(u) < 1)


def perlin(key: jax.Array, height: int, width: int) -> jax.Array:
    """Where Perlin noise, of 2^0 to 2^5 cells each way and turned, exceeds .5: patches of any shape and size.

    Source: Zavrtanik, Kristan, Skocaj, "DRAEM", ICCV 2021.
    """
    frame_key, cell_key, noise_key = jax.random.split(key, 3)
    along, across = about_a_place(frame_key, height, width)
    finest = int(math.log2(min(CELLS, max(min(height, width) // 4, 1))))
    cells = 2.0 ** jax.random.randint(cell_key, (2,), 0, finest + 1)
    noise = perlin_noise(noise_key, along * cells[0], across * cells[1])
    return soft(noise - 0.5, 0.1)


def perlin_noise(key: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    """Gradient noise, about -1 to 1, at places [H, W] in cells; it repeats after CELLS cells. Source: Perlin 2002."""
    angles = jax.random.uniform(key, (CELLS, CELLS), maxval=2 * math.pi)
    slopes = jnp.stack([jnp.cos(angles), jnp.sin(angles)])
    left, top = jnp.floor(x), jnp.floor(y)
    ease = lambda t: t**3 * (t * (t * 6 - 15) + 10)
    corners = []
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column, row = (left.astype(jnp.int32) + dx) % CELLS, (top.astype(jnp.int32) + dy) % CELLS
        corners.append(slopes[0][row, column] * (x - left - dx) + slopes[1][row, column] * (y - top - dy))
    across, down = ease(x - left), ease(y - top)
    upper, lower = (a + across * (b - a) for a, b in (corners[:2], corners[2:]))
    return math.sqrt(2) * (upper + down * (lower - upper))
