"""What an image and its reconstruction look like around each cell of CELL x CELL pixels.

Images are [B, H, W, C] in [0, 1]; features [B, ceil(H / CELL), ceil(W / CELL), F]. Compared with those of normal
images (`statistics.gaussian`) they tell a residual that is unusual from one that is merely large: a texture's own edges
leave large residuals everywhere, a smooth stain on it leaves unusually small ones.
"""

import jax
import jax.numpy as jnp

from jaxdefect.maps.residuals import box_filter, pad_to_multiple

CELL = 4
FLOOR = 1e-3  # Under the logarithm: 3 % of the range is little contrast, and nothing is less than little.


def halve(x: jax.Array) -> jax.Array:
    """The mean of each 2 x 2 block of [B, H, W, C] (even H, W)."""
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def derivatives(x: jax.Array) -> jax.Array:
    """Horizontal and vertical differences and the Laplacian of [B, H, W, 1], mirrored at the border: [B, H, W, 3]."""
    p = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "symmetric")
    left, right, above, below = p[:, 1:-1, :-2], p[:, 1:-1, 2:], p[:, :-2, 1:-1], p[:, 2:, 1:-1]
    return jnp.concatenate([right - left, below - above, 4 * x - left - right - above - below], -1)


def texture(images: jax.Array, *, window: int) -> jax.Array:
    """Mean, contrast and strength of the edges at three scales (1, 2 and 4 pixels), over window x window cells.

    H and W are multiples of CELL. C + 10 features.
    """
    smooth = lambda cells: box_filter(cells, window)
    grey = jnp.mean(images, -1, keepdims=True)
    mean = smooth(halve(halve(images)))
    square = smooth(halve(halve(jnp.square(grey))))
    features = [mean, log(square - jnp.square(jnp.mean(mean, -1, keepdims=True)))]
    levels = [grey, halve(grey), halve(halve(grey))]
    for level, halvings in zip(levels, (2, 1, 0), strict=True):
        energy = jnp.square(derivatives(level))
        for _ in range(halvings):
            energy = halve(energy)
        features.append(log(smooth(energy)))
    return jnp.concatenate(features, -1)


def mismatch(images: jax.Array, reconstructions: jax.Array, *, window: int) -> jax.Array:
    """Signed and squared residual and the correlation of image and reconstruction, over window x window cells.

    H and W are multiples of CELL. C + 2 features.
    """
    smooth = lambda x: box_filter(halve(halve(x)), window)
    grey, copy = (jnp.mean(x, -1, keepdims=True) for x in (images, reconstructions))
    mean, copy_mean = smooth(grey), smooth(copy)
    variance = smooth(jnp.square(grey)) - jnp.square(mean)
    copy_variance = smooth(jnp.square(copy)) - jnp.square(copy_mean)
    covariance = smooth(grey * copy) - mean * copy_mean
    correlation = covariance * jax.lax.rsqrt(jnp.maximum(variance * copy_variance, 0) + 1e-6)
    residual = images - reconstructions
    return jnp.concatenate(
        [smooth(residual), log(smooth(jnp.mean(jnp.square(residual), -1, keepdims=True))), correlation], -1
    )


def residual_features(images: jax.Array, reconstructions: jax.Array, *, window: int) -> jax.Array:
    """`texture` of the image and its `mismatch` with the reconstruction: 2 C + 12 features."""
    images, reconstructions = (pad_to_multiple(x, CELL) for x in (images, reconstructions))
    parts = texture(images, window=window), mismatch(images, reconstructions, window=window)
    return jnp.concatenate(parts, -1)


def to_pixels(cells: jax.Array, height: int, width: int) -> jax.Array:
    """A map of cells [B, h, w] at the size of its image, bilinear: [B, height, width]."""
    batch, rows, columns = cells.shape
    return jax.image.resize(cells, (batch, rows * CELL, columns * CELL), "linear")[:, :height, :width]


def log(energy: jax.Array) -> jax.Array:
    return jnp.log(jnp.maximum(energy, 0) + FLOOR)
