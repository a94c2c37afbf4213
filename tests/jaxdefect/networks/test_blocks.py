"""Blocks equal the plain layers of Flax."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.networks import blocks, convolution


def normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def test_parallel_scales_are_one_convolution():
    x = normal(0, 2, 9, 7, 3)
    for average in (False, True):
        module = blocks.MultiScaleConv(4, (1, 3, 5), average=average)
        variables = module.init(jax.random.key(1), x)
        params = {name: leaf + 0.1 for name, leaf in variables["params"].items()}
        branches = [convolution.conv(x, params[f"kernel{k}"]) + params[f"bias{k}"] for k in (1, 3, 5)]
        expected = sum(branches) / 3 if average else jnp.concatenate(branches, -1)
        np.testing.assert_allclose(module.apply({"params": params}, x), expected, atol=1e-5)


@pytest.mark.parametrize("up", [False, True])
def test_folded_normalisation_equals_flax_batch_norm(up):
    x = normal(0, 2, 8, 6, 3)
    module = blocks.ConvNorm(5, 5, up)
    variables = module.init(jax.random.key(1), x, train=True)
    params = {name: leaf + 0.3 for name, leaf in variables["params"].items()}
    stats = {"mean": normal(2, 5), "var": jnp.exp(normal(3, 5))}
    raw = (convolution.deconv if up else convolution.conv)(x, params["kernel"]) + params["bias"]
    norm = nn.BatchNorm(use_running_average=True, epsilon=blocks.BN_EPSILON)
    expected = norm.apply({"params": {"scale": params["scale"], "bias": params["shift"]}, "batch_stats": stats}, raw)
    found = module.apply({"params": params, "batch_stats": stats}, x, train=False)
    np.testing.assert_allclose(found, nn.relu(expected), atol=1e-4)


def test_training_normalises_with_the_statistics_of_the_batch():
    x = normal(0, 4, 8, 6, 3)
    module = blocks.ConvNorm(5, 3)
    variables = module.init(jax.random.key(1), x, train=True)
    run = jax.pmap(lambda x: module.apply(variables, x, train=True, mutable=["batch_stats"]), blocks.parallel.AXIS)
    found, mutated = run(x[None])
    norm = nn.BatchNorm(use_running_average=False, momentum=blocks.BN_MOMENTUM, epsilon=blocks.BN_EPSILON)
    raw = convolution.conv(x, variables["params"]["kernel"]) + variables["params"]["bias"]
    theirs = norm.init(jax.random.key(0), raw)
    expected, stats = norm.apply(theirs, raw, mutable=["batch_stats"])
    np.testing.assert_allclose(found[0], nn.relu(expected), atol=1e-4)
    for name in ("mean", "var"):
        np.testing.assert_allclose(mutated["batch_stats"][name][0], stats["batch_stats"][name], atol=1e-4)
