"""Convolutions through spectra equal the direct ones, values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxdefect.networks import convolution, fft_convolution

SEG_DEC_NET = (1, 64, 64, 64), (15, 15, 64, 1024)  # 512 x 512 pixels


def normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def assert_same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def assert_equals_direct(x, kernel):
    @jax.jit
    def both(x, kernel, seed):
        results = []
        for conv in (fft_convolution.conv, convolution.conv):
            value, pull = jax.vjp(conv, x, kernel)
            results.append((value, *pull(seed)))
        return results

    found, expected = both(x, kernel, normal(2, *x.shape[:3], kernel.shape[3]))
    for ours, theirs in zip(found, expected, strict=True):
        assert_same(ours, theirs)


def spectra_bytes(x, kernel):
    tiles = fft_convolution.cheapest(x.shape, kernel.shape)[1]
    return 12 * tiles.frequencies * (x.shape[3] + x.shape[0] * tiles.count[0] * tiles.count[1]) * kernel.shape[3]


CASES = [
    ((1, 1), (15, 15)),
    ((1, 9), (3, 3)),
    ((12, 1), (15, 15)),
    ((6, 7), (5, 9)),
    ((20, 33), (15, 15)),
    ((20, 33), (9, 5)),
]


@pytest.mark.parametrize(("sides", "size"), CASES)
def test_values_and_gradients_equal_the_direct_form(sides, size):
    assert_equals_direct(normal(0, 2, *sides, 3), normal(1, *size, 3, 4))


@pytest.mark.parametrize("count", [(1, 1), (3, 5), (10, 1)])
def test_every_way_to_cut_an_image_gives_the_same(count, monkeypatch):
    valid = (-(-10 // count[0]), -(-13 // count[1]))
    tiles = fft_convolution.Tiles(count, valid, (valid[0] + 6, valid[1] + 6))
    monkeypatch.setattr(fft_convolution, "cheapest", lambda *_: (0, tiles))
    assert_equals_direct(normal(0, 2, 10, 13, 3), normal(1, 7, 7, 3, 4))


@pytest.mark.parametrize("divisor", [3, 1000])
def test_blocks_of_outputs_give_the_same(divisor, monkeypatch):
    x, kernel = normal(0, 2, 10, 13, 3), normal(1, 7, 7, 3, 6)
    monkeypatch.setattr(fft_convolution, "CACHE", spectra_bytes(x, kernel) // divisor)
    tiles = fft_convolution.cheapest(x.shape, kernel.shape)[1]
    assert fft_convolution.blocks_of_outputs(2, 3, 6, tiles) == min(divisor, 6)
    assert_equals_direct(x, kernel)


def test_many_channels_stay_exact():
    """Sums of 225 x 64 products, of numbers above 0 as behind a ReLU."""
    x, kernel = jnp.abs(normal(0, 1, 24, 24, 64)), normal(1, 15, 15, 64, 8)
    exact = lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=convolution.LAYOUT, precision="highest"
    )
    assert_same(jax.jit(fft_convolution.conv)(x, kernel), exact)


def test_gradients_work_inside_loops_and_conditionals_and_over_runs():
    x, kernels = normal(0, 2, 8, 9, 2), normal(1, 3, 5, 5, 2, 2)

    def descend(conv, kernel):
        loss = lambda kernel: jnp.mean(jnp.square(conv(x, kernel)))

        def step(kernel, index):
            update = lambda kernel: kernel - 0.1 * jax.grad(loss)(kernel)
            return lax.cond(index > 0, update, lambda kernel: kernel, kernel), loss(kernel)

        return lax.scan(step, kernel, jnp.arange(3))

    run = lambda conv: jax.jit(jax.vmap(lambda kernel: descend(conv, kernel)))(kernels)
    for ours, theirs in zip(run(fft_convolution.conv), run(convolution.conv), strict=True):
        assert_same(ours, theirs)


def test_a_kernel_without_a_middle_is_refused_with_its_size():
    with pytest.raises(ValueError, match="4 x 3"):
        fft_convolution.conv(normal(0, 1, 8, 8, 2), normal(1, 4, 3, 2, 2))


def is_direct(x, kernel):
    # A function of its own: traces are remembered, but the backend is not among what they are remembered by.
    program = jax.make_jaxpr(lambda *both: fft_convolution.large_conv(*both))(jnp.zeros(x), jnp.zeros(kernel))
    return "conv_general_dilated" in str(program)


def test_large_kernels_are_computed_through_spectra_on_a_cpu_and_small_ones_directly(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert not is_direct(*SEG_DEC_NET)
    assert not is_direct((8, 64, 64, 16), (15, 15, 16, 64))
    assert is_direct((8, 64, 64, 16), (3, 3, 16, 16))
    assert is_direct((8, 64, 64, 64), (1, 1, 64, 1))


def test_other_backends_compute_large_kernels_directly(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert is_direct(*SEG_DEC_NET)


def test_the_automatic_form_equals_both(monkeypatch):
    x, kernel = normal(0, 2, 32, 32, 16), normal(1, 15, 15, 16, 16)
    for backend in ("cpu", "gpu"):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        assert_same(jax.jit(lambda *both: fft_convolution.large_conv(*both))(x, kernel), convolution.conv(x, kernel))


def test_the_spectra_of_one_block_fit_the_cache_at_full_size():
    for batch in (1, 8):
        shape = (batch, *SEG_DEC_NET[0][1:])
        tiles = fft_convolution.cheapest(shape, SEG_DEC_NET[1])[1]
        blocks = fft_convolution.blocks_of_outputs(batch, 64, 1024, tiles)
        number = batch * tiles.count[0] * tiles.count[1]
        assert 12 * tiles.frequencies * (64 + number) * 1024 // blocks <= fft_convolution.CACHE
        assert 12 * tiles.frequencies * number * 64 < 400e6
