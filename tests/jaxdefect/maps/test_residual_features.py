"""Features of residuals where they can be told by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect.maps import residual_features


def test_features_have_a_row_per_cell_and_know_where_the_contrast_is():
    x = jnp.full((1, 40, 30, 1), 0.5).at[0, 16:24, 16:24].set(jnp.indices((8, 8)).sum(0)[..., None] % 2 * 1.0)
    found = residual_features.residual_features(x, x, window=1)
    assert found.shape == (1, 10, 8, 14)
    contrast = np.asarray(found[0, ..., 1])
    assert contrast[4:6, 4:6].min() > contrast[:3].max()
    np.testing.assert_allclose(
        found[0, ..., 0],
        residual_features.halve(residual_features.halve(residual_features.pad_to_multiple(x, 4)))[0, ..., 0],
    )
    colour = residual_features.residual_features(jnp.zeros((2, 17, 16, 3)), jnp.zeros((2, 17, 16, 3)), window=3)
    assert colour.shape == (2, 5, 4, 18) and bool(jnp.isfinite(colour).all())


def test_mismatch_tells_a_copy_from_its_negative():
    x = jax.random.uniform(jax.random.key(0), (1, 32, 32, 1))
    same, negative = (residual_features.mismatch(x, y, window=3)[..., -1] for y in (x, 1 - x))
    assert float(same.min()) > 0.99 and float(negative.max()) < -0.99


def test_cells_come_back_at_the_size_of_the_image():
    cells = jnp.arange(6.0).reshape(1, 2, 3)
    assert residual_features.to_pixels(cells, 7, 11).shape == (1, 7, 11)
    np.testing.assert_allclose(residual_features.to_pixels(jnp.ones((1, 2, 3)), 7, 11), 1)
