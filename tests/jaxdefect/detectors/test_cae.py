"""CAE: what the decoder sees, and what a second loss changes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.detector import Batch
from jaxdefect.detectors import cae
from jaxdefect.losses import reconstruction
from jaxdefect.networks.blocks import apply
from jaxdefect.parallel import on_one_device
from jaxdefect.training import loop
from launch.run.trained import settings_of
from tests.contract.steps import tiny
from tests.jaxdefect.families.loud_networks import IMAGES, scaled


def test_the_code_is_all_the_decoder_sees():
    net = cae.Autoencoder(width=2, dense=16, latent=3)
    variables = loop.jit_once(lambda: net.init(jax.random.key(0), IMAGES, train=True))()
    dense = sorted(leaf["kernel"].shape for name, leaf in variables["params"].items() if name.startswith("Dense"))
    assert dense == [(3, 16), (16, 3), (16, 2 * 2 * 8), (2 * 2 * 8, 16)]
    loud = scaled(variables, "kernel", 10)
    speaks = loop.jit_once(lambda variables: jnp.ptp(net.apply(variables, IMAGES, train=False), 0).max())
    assert float(speaks(scaled(loud, "Dense_1", 0))) < 1e-6 < 1e-4 < float(speaks(loud))


SMALL = {"dense": 4, "latent": 2, "width": 1}


@pytest.fixture(scope="module")
def one_loss():
    """(state before any step, state after one, its metrics) of the mean squared error alone."""
    detector, _ = tiny("cae", **SMALL)
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(IMAGES))
    step = loop.jit_once(on_one_device(lambda state: detector.step(state, Batch(IMAGES), jax.random.key(1))))
    return state, *step(state)


def test_the_objective_of_cae_is_the_mean_squared_error(one_loss):
    state, _, metrics = one_loss
    player, net = state.player, cae.Autoencoder(SMALL["width"], SMALL["dense"], SMALL["latent"])
    reconstruct = lambda: apply(net, player.params, player.batch_stats, IMAGES, train=True)[0]
    seen = np.asarray(loop.jit_once(on_one_device(reconstruct))())
    np.testing.assert_allclose(metrics["loss"], reconstruction.mse(seen, IMAGES), rtol=1e-5)
    np.testing.assert_allclose(metrics["mse"], np.square(IMAGES - seen).mean(), rtol=1e-5)


def test_two_losses_are_their_weighted_sum_and_of_weight_none_the_first_alone(one_loss):
    state, plain, alone = one_loss
    settings = settings_of(tiny("cae_multiloss", **SMALL)[1], {})
    other = lambda weight: cae.make(**settings | {"ssim_weight": weight})
    stepped = loop.jit_once(on_one_device(lambda weight: other(weight).step(state, Batch(IMAGES), jax.random.key(1))))
    first, weightless = stepped(0.0)
    np.testing.assert_allclose(alone["loss"], weightless["loss"], rtol=1e-6)
    for a, b in zip(*map(jax.tree.leaves, (plain.player.params, first.player.params)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    _, both = stepped(0.5)
    np.testing.assert_allclose(both["loss"], both["mse"] + 0.5 * both["ssim_loss"], rtol=1e-6)
    assert float(both["ssim_loss"]) > float(both["mse"])


def test_settings_that_cannot_be_are_refused_by_name():
    with pytest.raises(ValueError, match=r"settings\.size = 20 .* such as 16 or 24"):
        tiny("cae", size=20)
    with pytest.raises(ValueError, match=r"settings\.box = 4"):
        tiny("cae", box=4)
    with pytest.raises(ValueError, match=r"settings\.decay_every = 0"):
        tiny("cae", decay_every=0)
    with pytest.raises(ValueError, match=r"settings\.losses = \('ssim',\); use \('mse',\) or \('mse', 'ssim'\)"):
        tiny("cae", losses=("ssim",))
    with pytest.raises(ValueError, match=r"settings\.size = 8 .* windows of 11"):
        tiny("cae_multiloss", size=8)
