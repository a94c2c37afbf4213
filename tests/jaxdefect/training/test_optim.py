"""Adam with a bound on gradients."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect import parallel
from jaxdefect.training import optim


def moved(adam, gradients):
    """The parameters after these gradients, from 0."""

    def run(gradients):
        parameters = jnp.zeros(2)
        state = adam.init(parameters)
        for gradient in gradients:
            update, state = adam.update(gradient, state, parameters)
            parameters += update
        return parameters

    return jax.jit(parallel.on_one_device(run))(jnp.asarray(gradients))


def test_greater_gradients_are_scaled_down_and_smaller_ones_are_not():
    gradients = np.array([[3.0, 4.0], [0.1, -0.2], [-30.0, 0.0]])
    scaled = np.array([[0.6, 0.8], [0.1, -0.2], [-1.0, 0.0]])
    np.testing.assert_allclose(moved(optim.adam(0.1, clip=1.0), gradients), moved(optim.adam(0.1), scaled), rtol=1e-5)
    assert not np.allclose(moved(optim.adam(0.1), gradients), moved(optim.adam(0.1), scaled), rtol=1e-2)
