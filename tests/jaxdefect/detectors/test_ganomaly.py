"""GANomaly: what it scores by, and which loss teaches whom."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.detectors import ganomaly
from jaxdefect.networks import dcgan
from jaxdefect.training import loop, population
from tests.contract.steps import textures
from tests.tiny import config as tiny_config

SETTINGS = tiny_config("ganomaly").settings.to_dict()
LOSSES = ("adversarial", "contextual", "encoding")


@pytest.fixture(scope="module")
def images():
    return jnp.asarray(np.stack(textures(8, 16)), jnp.float32) / 255


@pytest.fixture(scope="module")
def fresh(images):
    detector, hyperparams = population.share_program(ganomaly.make, SETTINGS)
    return loop.jit_once(detector.init)(jax.random.key(0), Batch(images), hyperparams)


@pytest.fixture(scope="module")
def learn(images):
    """A step from a state, of some losses only."""
    detector, _ = population.share_program(ganomaly.make, SETTINGS)
    step = loop.jit_once(parallel.on_one_device(detector.step))

    def learn(member, *losses):
        weights = {name: jnp.float32(name in losses) for name in LOSSES}
        member = member._replace(hyperparams=member.hyperparams | weights)
        return step(member, Batch(images), jax.random.key(1))[0].state

    return learn


def test_the_score_is_the_mean_square_between_the_latents_of_image_and_reconstruction(fresh, learn, images):
    state = learn(fresh, *LOSSES)
    scores = loop.jit_once(ganomaly.make(**SETTINGS).score)(state, images)
    own = state.generator
    part = lambda net, name, x: loop.jit_once(functools.partial(net.apply, train=False))(
        {"params": own.params[name], "batch_stats": own.batch_stats[name]}, x
    )
    encoder = dcgan.Encoder(SETTINGS["latent"], SETTINGS["width"], SETTINGS["cap"])
    encoded, _ = part(encoder, "Encoder_0", 2 * images - 1)
    rebuilt = part(dcgan.Decoder(16, 1, SETTINGS["width"], SETTINGS["cap"]), "Decoder_0", encoded)
    encoded_again, _ = part(encoder, "Encoder_1", rebuilt)
    np.testing.assert_allclose(scores.image, np.mean((encoded_again - encoded) ** 2, 1), rtol=1e-3)
    reconstruction = (np.asarray(rebuilt) + 1) / 2
    np.testing.assert_allclose(scores.reconstruction, reconstruction, atol=1e-5)
    residual = np.abs(reconstruction - images).mean(-1)
    wanted = np.stack([uniform_filter(one, SETTINGS["box"]) for one in residual])
    np.testing.assert_allclose(scores.map, wanted, atol=1e-5)


def test_each_loss_teaches_the_networks_it_depends_on(fresh, learn):
    start = fresh.state.generator.params
    moved = {loss: learn(fresh, loss).generator.params for loss in LOSSES}
    changed = lambda loss, part: max(
        jax.tree.leaves(jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), moved[loss][part], start[part]))
    )
    for loss in LOSSES:
        assert changed(loss, "Encoder_0") > 1e-4 and changed(loss, "Decoder_0") > 1e-4
        assert (changed(loss, "Encoder_1") > 1e-4) == (loss == "encoding")


def test_the_discriminator_descends_a_loss_of_its_own(fresh, learn):
    leaves = lambda player: jax.tree.leaves(player.params)
    idle, busy, start = learn(fresh), learn(fresh, *LOSSES), fresh.state
    # Without any loss the generator stays as it is; the discriminator learns all the same.
    assert all(np.array_equal(a, b) for a, b in zip(leaves(idle.generator), leaves(start.generator), strict=True))
    for one, other, before in zip(*(leaves(state.discriminator) for state in (idle, busy, start)), strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.abs(one - before).max() > 1e-4


@pytest.mark.parametrize("size", [4, 48, 0])
def test_a_size_that_cannot_be_halved_to_four_is_refused(size):
    with pytest.raises(ValueError, match=f"settings.size = {size} pixels.*power of two"):
        ganomaly.make(**SETTINGS | {"size": size})
