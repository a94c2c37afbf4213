"""A detector whose map is its image, blurred."""

import jax
import jax.numpy as jnp

import jaxdefect


def blur_detector(reach: int):
    """Scores with a zero-padded window of `reach` pixels a side, as a convolutional network would."""

    def score(state, images):
        kernel = jnp.ones((2 * reach + 1, 2 * reach + 1, images.shape[-1], 1)) * state
        maps = jax.lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jaxdefect.Scores(maps.max((1, 2, 3)), maps[..., 0], images)

    return jaxdefect.Detector(lambda key, batch: 1.0, lambda state, batch, key: (state, {}), score)
