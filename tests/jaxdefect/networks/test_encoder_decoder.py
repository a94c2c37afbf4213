"""The encoder and decoder of MAA and DAE: how many channels go where."""

import jax
import jax.numpy as jnp

from jaxdefect.networks.encoder_decoder import FACTOR, Decoder, Encoder


def shapes_of(net, *inputs):
    """(what it gives, its parameters), of shapes alone."""
    given, variables = jax.eval_shape(lambda: net.init_with_output(jax.random.key(0), *inputs, train=True))
    return jax.tree.map(lambda leaf: leaf.shape, (given, variables["params"]))


def test_each_scale_of_the_encoder_has_twice_the_channels_of_the_one_before():
    scales, _ = shapes_of(Encoder(2), jnp.zeros((3, 16, 24, 1)))
    assert scales == ((3, 16, 24, 4), (3, 8, 12, 8), (3, 4, 6, 16), (3, 2, 3, 32))
    assert 16 // scales[-1][1] == FACTOR


def test_each_scale_of_the_encoder_reaches_the_decoder():
    scales = [jnp.zeros((1, 16 // shrunk, 16 // shrunk, 4 * shrunk)) for shrunk in (1, 2, 4, 8)]
    image, params = shapes_of(Decoder(2, 3), scales[-1], scales[:-1])
    assert image == (1, 16, 16, 3)
    # 8, 4 and 2 times the width go up, and as many come from the side.
    assert [params[f"Deconv_{i}"]["kernel"][2] for i in range(3)] == [32, 2 * 16, 2 * 8]
    assert params["Conv_0"]["kernel"][2] == 2 * 4
    _, params = shapes_of(Decoder(2, 3), scales[-1])
    assert [params[f"Deconv_{i}"]["kernel"][2] for i in range(3)] == [32, 16, 8]
