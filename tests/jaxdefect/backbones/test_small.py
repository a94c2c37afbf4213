"""The small backbone can be trained."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdefect import backbones, parallel
from jaxdefect.networks import blocks
from jaxdefect.training import loop, optim


def test_the_small_one_learns_to_tell_two_surfaces_apart(small):
    """Batch statistics and weights move, and images it was not trained on are told apart in eval mode."""
    backbone, variables = small
    adam = optim.adam(1e-2, b1=0.9, b2=0.999)
    head = jnp.zeros((backbone.channels[-1], 2))
    player = optim.init_player(adam, {"params": {"net": variables["params"], "head": head}})
    player = player._replace(batch_stats=variables["batch_stats"])
    labels = jnp.arange(16) % 2

    def surfaces(key):  # upright and level stripes in noise
        noise = 0.3 * jax.random.uniform(key, (16, 64, 64, 1))
        stripes = jnp.broadcast_to(jnp.sin(jnp.arange(64) / 2), (64, 64))
        return 0.4 + noise + 0.1 * jnp.where(labels[:, None, None], stripes, stripes.T)[..., None]

    def step(player, key):
        def loss(params):
            images = backbones.normalised(backbone, variables, surfaces(key))
            maps, stats = blocks.apply(backbone.net, params["net"], player.batch_stats, images, train=True)
            logits = maps[-1].mean((1, 2)) @ params["head"]
            value = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
            return value, (stats, value)

        return optim.update_player(adam, loss, player)

    step = loop.jit_once(parallel.on_one_device(step))
    for seed in range(25):
        player, _ = step(player, jax.random.key(seed))
    learnt = {"params": player.params["net"], "batch_stats": player.batch_stats, "input": variables["input"]}
    assert np.abs(learnt["batch_stats"]["bn1"]["mean"]).max() > 0
    see = loop.jit_once(partial(backbones.features, backbone))
    logits = see(learnt, surfaces(jax.random.key(100))) @ player.params["head"]
    assert (logits.argmax(-1) == labels).all()
