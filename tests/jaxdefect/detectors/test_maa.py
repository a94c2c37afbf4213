"""MAA: what its generator is asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.detectors import maa
from jaxdefect.training.loop import jit_once
from tests.contract.steps import textures, tiny


@pytest.mark.drill
@pytest.mark.parametrize("by_features", [True, False])
def test_the_content_is_the_l1_of_features_of_the_discriminator_or_of_pixels(by_features):
    """Of the discriminator after its own step, which at a rate of 0 is the one before."""
    detector, config = tiny("maa", feature_loss=by_features, critic_rate=0.0)
    images = jnp.asarray(np.stack(textures(4, config.settings.size)), jnp.float32) / 255
    state = jit_once(detector.init)(jax.random.key(0), Batch(images))
    _, metrics = jit_once(parallel.on_one_device(detector.step))(state, Batch(images), jax.random.key(1))
    knobs = config.settings

    def by_hand():
        read = lambda player: {"params": player.params, "batch_stats": player.batch_stats}
        generator = maa.Generator(knobs.width, knobs.blocks, knobs.memory, knobs.cell_clip)
        judge = maa.Discriminator(knobs.critic_width, spectral=False)
        seen = 2 * images - 1
        (drawn, _), _ = generator.apply(read(state.generator), seen, state.memory, train=True, mutable=["batch_stats"])
        look = lambda x: judge.apply(read(state.discriminator), x, train=True, mutable=["batch_stats"])[0][1][
            "features"
        ]
        pair = (look(drawn), look(seen)) if by_features else (drawn, seen)
        return jnp.mean(jnp.abs(pair[0] - pair[1]))

    np.testing.assert_allclose(metrics["content"], jit_once(parallel.on_one_device(by_hand))(), rtol=1e-4)


def test_the_cell_is_bounded_where_it_is_asked_to_be():
    """From a cell that has grown to 5, of which half is forgotten."""
    largest = {}
    for bound in (0, 1):
        detector, config = tiny("maa", cell_clip=bound)
        images = jnp.asarray(np.stack(textures(4, config.settings.size)), jnp.float32) / 255
        state = jit_once(detector.init)(jax.random.key(0), Batch(images))
        state = state._replace(memory=jax.tree.map(lambda part: part + 5, state.memory))
        state, _ = jit_once(parallel.on_one_device(detector.step))(state, Batch(images), jax.random.key(1))
        largest[bound] = float(jnp.abs(state.memory.cell).max())
    assert largest[1] <= 1 < largest[0]
