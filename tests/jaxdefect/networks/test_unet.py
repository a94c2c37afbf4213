"""U-Net, with skip connections and without."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.networks.unet import UNet

IMAGES = jnp.asarray(np.random.default_rng(0).random((2, 8, 12, 3), np.float32))


@pytest.mark.parametrize("skip", [True, False])
def test_the_decoder_reads_twice_the_channels_where_it_sees_the_encoder(skip):
    net = UNet((2, 4, 8), 5, skip=skip)
    outputs, variables = jax.eval_shape(lambda: net.init_with_output(jax.random.key(0), IMAGES, train=True))
    assert outputs.shape == (2, 8, 12, 5)
    read = [variables["params"][f"ConvNorm_{place}"]["kernel"].shape[2] for place in range(12)]
    beside = 2 if skip else 1
    assert read == [3, 2, 2, 4, 4, 8, 8, 4 * beside, 4, 4, 2 * beside, 2]


def test_images_of_any_size_are_those_mirrored_beyond_their_border_and_cut_back():
    net = UNet((2, 4, 8), 1)
    weights = net.init(jax.random.key(0), IMAGES, train=False)
    mirrored = jnp.pad(IMAGES[:, :7, :9], ((0, 0), (0, 1), (0, 3), (0, 0)), "symmetric")
    outputs = net.apply(weights, IMAGES[:, :7, :9], train=False)
    np.testing.assert_array_equal(outputs, net.apply(weights, mirrored, train=False)[:, :7, :9])
