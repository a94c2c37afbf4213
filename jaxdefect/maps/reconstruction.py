"""From images and their reconstructions at the size of a network to scores at the size of the images.

Images are [B, H, W, C] in [0, 1], reconstructions [B, S, S', C]; errors are computed at the size of the reconstruction,
from its values as the network gave them.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxdefect.detector import Scores
from jaxdefect.maps.residuals import box_filter, resize

Residual = Callable[[jax.Array, jax.Array], jax.Array]  # (images, reconstructions) -> [B, H, W]; see `residuals`


def error_map(images: jax.Array, reconstruction: jax.Array, *, residual: Residual, box: int = 1) -> jax.Array:
    """[B, S, S']: the residual of the images resized to the reconstruction, averaged over box x box of its pixels."""
    return box_filter(residual(resize(images, *reconstruction.shape[1:3]), reconstruction), box)


def at_image_size(images: jax.Array, image_scores: jax.Array, errors: jax.Array, reconstruction: jax.Array) -> Scores:
    """Scores [B], errors [B, S, S'] and reconstructions as `Scores` of the images: the latter two resized to them."""
    resized = lambda x: resize(x, *images.shape[1:3])
    # A resize may leave [0, 1] by rounding: its weights sum to 1 only nearly.
    return Scores(image_scores, resized(errors), jnp.clip(resized(reconstruction), 0, 1))


def reconstruction_scores(
    images: jax.Array, image_scores: jax.Array, reconstruction: jax.Array, *, residual: Residual, box: int = 1
) -> Scores:
    """Scores of images [B, H, W, C] by a reconstruction of any size: the map is `error_map`, resized to the images."""
    return at_image_size(
        images, image_scores, error_map(images, reconstruction, residual=residual, box=box), reconstruction
    )
