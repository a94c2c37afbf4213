"""Fast forms of layers equal the plain ones, values and gradients."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxdefect.networks import convolution
from jaxdefect.networks.convolution import max_pool3
from tests.drilled import drilled


@pytest.mark.parametrize("side", [3, 4, 12, 13])
def test_the_pool_of_three_equals_that_of_flax(side):
    x = jax.random.normal(jax.random.key(side), (2, side, side + 1, 3))
    np.testing.assert_array_equal(max_pool3(x), nn.max_pool(x, (3, 3), (2, 2)))


def normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


@pytest.mark.parametrize("size", [1, 4, 5, *drilled(2, 3, 6, 7)])
def test_deconvolution_equals_conv_transpose(size):
    x, kernel = normal(0, 2, 6, 5, 3), normal(1, size, size, 3, 4)
    plain = lambda x, kernel: lax.conv_transpose(x, kernel, (2, 2), "SAME", precision=lax.Precision.HIGHEST)
    expected, pull = jax.vjp(plain, x, kernel)
    found, pull_fast = jax.vjp(convolution.deconv, x, kernel)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    seed = normal(2, *expected.shape)
    for ours, theirs in zip(pull_fast(seed), pull(seed), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_convolution_as_a_matrix_product_equals_the_plain_one(size):
    x, kernel = normal(0, 2, 7, 6, 3), normal(1, size, size, 3, 4)
    expected, pull = jax.vjp(convolution.conv, x, kernel)
    with convolution.convolutions("matmul"):
        found, pull_matmul = jax.vjp(convolution.conv, x, kernel)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    seed = normal(2, *expected.shape)
    for ours, theirs in zip(pull_matmul(seed), pull(seed), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("size", [5, 9])
def test_convolution_on_blocks_equals_the_plain_one(size):
    x, kernel = normal(0, 2, 8, 12, 3), normal(1, size, size, 3, 4)
    plain = lambda x, kernel: lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision=lax.Precision.HIGHEST
    )
    expected, pull = jax.vjp(plain, x, kernel)
    found, pull_blocks = jax.vjp(
        lambda x, k: convolution.unblock(plain(convolution.block(x), convolution.block_kernel(k))), x, kernel
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(convolution.conv(x, kernel), expected, atol=1e-4)
    seed = normal(2, *expected.shape)
    for ours, theirs in zip(pull_blocks(seed), pull(seed), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_max_pooling_equals_that_of_flax():
    x = normal(0, 2, 8, 6, 3)
    expected, pull = jax.vjp(lambda x: nn.max_pool(x, (2, 2), (2, 2)), x)
    found, pull_fast = jax.vjp(convolution.max_pool, x)
    np.testing.assert_array_equal(found, expected)
    seed = normal(1, *expected.shape)
    np.testing.assert_array_equal(pull_fast(seed)[0], pull(seed)[0])


def test_unpooling_puts_maxima_back_where_they_were():
    x = normal(0, 2, 8, 6, 3)
    back = convolution.max_unpool(convolution.max_pool(x), convolution.max_places(x))
    kept = back != 0
    np.testing.assert_array_equal(back[kept], x[kept])
    assert int(kept.sum()) == x.size // 4
    np.testing.assert_array_equal(convolution.max_pool(jnp.where(kept, back, -jnp.inf)), convolution.max_pool(x))


@pytest.mark.parametrize("stride, size, padding, sides", [
    (1, 4, 1, (9, 8)), (2, 4, 1, (9, 7)), (2, 5, 2, (7, 8)),
    *drilled((1, 3, 0, (6, 7)), (2, 4, 1, (8, 10)), (2, 3, 1, (8, 9)), (2, 4, 0, (9, 10))),
])  # fmt: skip
def test_convolution_equals_the_plain_one(stride, size, padding, sides):
    x, kernel = normal(0, 2, *sides, 3), normal(1, size, size, 3, 4)
    plain = lambda x, kernel: lax.conv_general_dilated(
        x, kernel, (stride,) * 2, [(padding,) * 2] * 2, dimension_numbers=convolution.LAYOUT
    )
    expected, pull = jax.vjp(plain, x, kernel)
    found, pull_fast = jax.vjp(lambda x, k: convolution.conv(x, k, stride=stride, padding=padding), x, kernel)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    seed = normal(2, *expected.shape)
    for ours, theirs in zip(pull_fast(seed), pull(seed), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_kernels_need_not_be_square():
    x, kernel = normal(0, 2, 6, 7, 3), normal(1, 1, 7, 3, 4)
    plain = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=convolution.LAYOUT)
    np.testing.assert_allclose(convolution.conv(x, kernel), plain, atol=1e-4)


def test_gradients_of_gradients_equal_the_plain_ones():
    """As the gradient penalty of a critic needs them."""
    x, kernel = normal(0, 2, 6, 6, 3), normal(1, 3, 3, 3, 4)
    plain = lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=convolution.LAYOUT)

    def penalty(conv):
        critic = lambda x, kernel: jnp.sum(jnp.tanh(conv(x, kernel)))
        return jax.grad(lambda kernel: jnp.sum(jax.grad(critic)(x, kernel) ** 2))(kernel)

    np.testing.assert_allclose(penalty(convolution.conv), penalty(plain), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sides", [(1, 1), (1, 6), (2, 3), (7, 1), (16, 48)])
def test_pooling_leaves_out_an_odd_last_row_but_not_the_only_one(sides):
    x = np.random.default_rng(0).normal(size=(2, *sides, 3)).astype(np.float32)
    rows, columns = (max(side // 2, 1) for side in sides)
    blocks = [[x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max((1, 2)) for j in range(columns)] for i in range(rows)]
    np.testing.assert_array_equal(convolution.max_pool_odd(jnp.asarray(x)), np.moveaxis(np.array(blocks), 2, 0))
