"""AnoGAN: what its search for a latent vector does, and what is scored of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdefect
from jaxdefect.detectors import anogan
from jaxdefect.networks import dcgan
from tests.contract.steps import fit, textures, tiny

WEIGHT = 0.5  # of the features, so that they show


def scores(state, settings, images):
    return jax.jit(jaxdefect.load("anogan")(**settings).score)(state, images)


@pytest.fixture(scope="module")
def searched():
    """(settings, a trained state, images as large as its own, their scores)."""
    settings = tiny("anogan", feature=WEIGHT, search_steps=60)[1].settings.to_dict()
    images = jnp.asarray(np.stack(textures(3, settings["size"], seed=1)), jnp.float32) / 255
    state = jax.device_get(fit("anogan", 60).state)
    return settings, state, images, scores(state, settings, images)


def test_a_longer_search_leaves_less(searched):
    settings, state, images, found = searched
    short = scores(state, settings | {"search_steps": 1}, images)
    assert bool((found.image < 0.98 * short.image).all())


def test_the_score_is_what_the_search_leaves_of_pixels_and_features(searched):
    settings, state, images, found = searched
    critic = dcgan.Encoder(1, settings["critic_width"])
    variables = {"params": state.discriminator.params, "batch_stats": state.discriminator.batch_stats}
    features = jax.jit(lambda x: critic.apply(variables, 2 * x - 1, train=False)[1])
    pixels = 2 * np.abs(images - found.reconstruction).sum((1, 2, 3))  # twice as far apart in [-1, 1]
    apart = np.abs(features(images) - features(found.reconstruction)).sum((1, 2, 3))
    assert (apart > 0.01 * pixels).all()
    np.testing.assert_allclose(found.image, (1 - WEIGHT) * pixels + WEIGHT * apart, rtol=1e-4)


def test_the_search_slows_down_where_the_paper_says():
    rates = np.asarray([0.01 * anogan.pace(jnp.asarray(i), 500) for i in (0, 199, 200, 299, 300, 499)])
    np.testing.assert_allclose(rates, [0.01, 0.01, 0.001, 0.001, 0.0005, 0.0005], rtol=1e-6)


def test_settings_that_cannot_work_are_refused_with_a_remedy(searched):
    make, settings = jaxdefect.load("anogan"), searched[0]
    for changed, remedy in (
        ({"size": 48}, "such as 32 or 64"), ({"search_steps": 0}, "use 1 or more"), ({"box": 4}, "odd"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=remedy):
            make(**settings | changed)
