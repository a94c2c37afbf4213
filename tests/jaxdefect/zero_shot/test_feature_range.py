"""Features are scaled by their range."""

import jax.numpy as jnp
import numpy as np

from jaxdefect import parallel
from jaxdefect.zero_shot import feature_range


def test_features_are_scaled_by_the_range_of_those_that_count():
    x = jnp.asarray([[1.0, 5.0, 2.0], [3.0, 5.0, 4.0], [9.0, 9.0, 9.0]])
    widen = parallel.on_one_device(feature_range.widen_range)
    span = widen(feature_range.empty_range(3), x, jnp.asarray([1.0, 1.0, 0.0]))
    np.testing.assert_array_equal(span.low, [1, 5, 2])
    np.testing.assert_array_equal(span.high, [3, 5, 4])
    np.testing.assert_allclose(feature_range.scale_to_range(span, x), [[0, 0, 0], [1, 0, 1], [1, 1, 1]])
    assert bool(jnp.isnan(feature_range.scale_to_range(span, x.at[0, 1].set(jnp.nan))[0, 1]))
