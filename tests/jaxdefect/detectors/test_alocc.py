"""ALOCC: what it scores by, and what R is taught."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.detectors import alocc
from jaxdefect.networks.blocks import apply
from jaxdefect.training import loop, population
from tests.contract.steps import textures
from tests.tiny import config as tiny_config

SETTINGS = tiny_config("alocc").settings.to_dict()
REFINER = alocc.Refiner(SETTINGS["width"], SETTINGS["levels"])


@pytest.fixture(scope="module")
def images():
    return jnp.asarray(np.stack(textures(8, 16)), jnp.float32) / 255


@pytest.fixture(scope="module")
def fresh(images):
    detector, hyperparams = population.share_program(alocc.make, SETTINGS)
    return loop.jit_once(detector.init)(jax.random.key(0), Batch(images), hyperparams)


@pytest.fixture(scope="module")
def learn(images):
    """A step from a state with other hyperparams: (member, seed, hyperparams) -> (state, metrics)."""
    detector, _ = population.share_program(alocc.make, SETTINGS)
    step = loop.jit_once(parallel.on_one_device(detector.step))

    def learn(member, seed, **hyperparams):
        hyperparams = {name: jnp.float32(value) for name, value in hyperparams.items()}
        member, metrics = step(
            member._replace(hyperparams=member.hyperparams | hyperparams), Batch(images), jax.random.key(seed)
        )
        return member.state, metrics

    return learn


def test_the_score_is_what_the_discriminator_thinks_of_the_refined_image(fresh, learn, images):
    state, _ = learn(fresh, 1)
    scores = loop.jit_once(alocc.make(**SETTINGS).score)(state, images)
    own, critic = state
    evaluate = lambda net, *inputs: loop.jit_once(functools.partial(apply, net, train=False))(*inputs)[0]
    refined = evaluate(REFINER, own.params, own.batch_stats, 2 * images - 1)
    judge = alocc.Discriminator(SETTINGS["critic_width"], SETTINGS["levels"], spectral=False)
    logits = evaluate(judge, critic.params, critic.batch_stats, refined)
    np.testing.assert_allclose(scores.image, 1 - 1 / (1 + np.exp(-logits)), rtol=1e-4)
    reconstruction = (np.asarray(refined) + 1) / 2
    residual = np.abs(reconstruction - images).mean(-1)
    wanted = np.stack([uniform_filter(one, SETTINGS["box"]) for one in residual])
    np.testing.assert_allclose(scores.map, wanted, atol=1e-5)


def test_the_refiner_sees_noise_of_its_own_on_each_image_and_is_compared_with_the_clean_one(fresh, learn, images):
    _, metrics = learn(fresh, 3)
    draws = [jax.random.normal(jax.random.fold_in(jax.random.key(3), i), (16, 16, 1)) for i in range(len(images))]
    noisy = 2 * images - 1 + SETTINGS["noise"] * jnp.stack(draws)
    own = fresh.state.refiner
    refine = parallel.on_one_device(lambda x: apply(REFINER, own.params, own.batch_stats, x, train=True)[0])
    refine = loop.jit_once(refine)
    refined = np.asarray(refine(noisy))
    assert float(metrics["loss"]) == pytest.approx(np.abs((refined + 1) / 2 - images).mean(), rel=1e-4)
    clean = np.asarray(refine(2 * images - 1))
    assert float(metrics["loss"]) != pytest.approx(np.abs((clean + 1) / 2 - images).mean(), rel=1e-4)


def test_without_noise_nothing_is_random(fresh, learn):
    leaves = lambda **hyperparams: [
        jax.tree.leaves(learn(fresh, seed, **hyperparams)[0].refiner.params) for seed in (1, 2)
    ]
    same = lambda one, other: all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert same(*leaves(noise=0.0))
    assert not same(*leaves(noise=0.155))


def test_the_weight_of_the_reconstruction_trades_it_for_fooling(fresh, learn):
    ends = {}
    for weight in (0.0, 100.0):
        member = fresh
        for seed in range(20):
            state, metrics = learn(member, seed, reconstruction=weight)
            member = member._replace(state=state)
        ends[weight] = metrics
    assert ends[100.0]["loss"] < 0.9 * ends[0.0]["loss"]
    assert ends[100.0]["fooling"] > ends[0.0]["fooling"]


@pytest.mark.parametrize("levels, size", [(2, 18), (4, 24), (4, 8)])
def test_a_size_that_cannot_be_halved_so_often_is_refused(levels, size):
    with pytest.raises(ValueError, match=f"settings.size = {size} pixels.*a multiple of {2**levels}"):
        alocc.make(**SETTINGS | {"size": size, "levels": levels})
