"""CAE of two losses: what the second one changes."""

import jax
import numpy as np

from jaxdefect.detector import Batch
from jaxdefect.detectors import cae_multiloss
from jaxdefect.parallel import on_one_device
from jaxdefect.training import loop
from tests.contract.steps import textures, tiny

IMAGES = np.stack(textures(4, 16)).astype(np.float32) / 255
compiled = lambda function: jax.jit(function, compiler_options=loop.quick_to_compile())


def test_two_losses_are_their_weighted_sum_and_of_weight_none_the_first_alone():
    small = {"dense": 4, "latent": 2, "width": 1}
    one, config = tiny("cae", **small)
    state = compiled(one.init)(jax.random.key(0), Batch(IMAGES))
    other = lambda weight: cae_multiloss.make(weight=weight, **config.settings)
    stepped = compiled(on_one_device(lambda weight: other(weight).step(state, Batch(IMAGES), jax.random.key(1))))
    plain, alone = compiled(on_one_device(lambda: one.step(state, Batch(IMAGES), jax.random.key(1))))()
    first, weightless = stepped(0.0)
    np.testing.assert_allclose(alone["loss"], weightless["loss"], rtol=1e-6)
    for a, b in zip(*map(jax.tree.leaves, (plain.player.params, first.player.params)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    _, both = stepped(0.5)
    np.testing.assert_allclose(both["loss"], both["mse"] + 0.5 * both["ssim_loss"], rtol=1e-6)
    assert float(both["ssim_loss"]) > float(both["mse"])
