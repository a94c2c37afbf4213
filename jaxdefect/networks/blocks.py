"""Shared linen blocks. Features are [B, H, W, C]; kernels [k, k, in, out]."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxdefect import parallel
from jaxdefect.networks.convolution import conv, deconv

BN_MOMENTUM, BN_EPSILON = 0.9, 1e-5
DCGAN_INIT = nn.initializers.normal(0.02)  # Radford et al. 2016; Isotropic Gaussian of MAA, Table I


class Conv(nn.Module):
    """Convolution with a bias: zeros around it, stride 1 or 2."""

    features: int
    size: int | tuple[int, int] = 4  # pixels; (rows, columns)
    stride: int = 2
    padding: int | tuple[int, int] | None = 1  # pixels on each side; None for half a kernel
    init: Callable = DCGAN_INIT
    bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        kernel = self.param("kernel", self.init, (*size, x.shape[-1], self.features)).astype(x.dtype)
        y = conv(x, kernel, stride=self.stride, padding=self.padding)
        return y + self.param("bias", nn.initializers.zeros, (self.features,)).astype(x.dtype) if self.bias else y


class Deconv(nn.Module):
    """Transposed convolution with stride 2 and a bias: [B, H, W, C] -> [B, 2H, 2W, features]."""

    features: int
    size: int = 4  # pixels
    init: Callable = DCGAN_INIT
    bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", self.init, (self.size, self.size, x.shape[-1], self.features)).astype(x.dtype)
        y = deconv(x, kernel)
        return y + self.param("bias", nn.initializers.zeros, (self.features,)).astype(x.dtype) if self.bias else y


def l2_normalize(x: jax.Array) -> jax.Array:
    """[..., A] at length 1; zeros stay zeros."""
    return x * lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(x), -1, keepdims=True), 1e-12))


def apply(
    net: nn.Module, params: Any, batch_stats: Any, *inputs: jax.Array, train: bool, **options: Any
) -> tuple[Any, Any]:
    """(outputs, batch statistics) of a network: new statistics where it trains, else those given."""
    variables = {"params": params, "batch_stats": batch_stats}
    if not train:
        return net.apply(variables, *inputs, train=False, **options), batch_stats
    outputs, mutated = net.apply(variables, *inputs, train=True, mutable=["batch_stats"], **options)
    return outputs, mutated.get("batch_stats", {})


def batch_norm(*, train: bool, scale_init: Callable = nn.initializers.ones, name: str | None = None) -> nn.BatchNorm:
    """Batch normalisation over all devices; running averages where train is False."""
    return nn.BatchNorm(
        use_running_average=not train, momentum=BN_MOMENTUM, epsilon=BN_EPSILON, axis_name=parallel.AXIS,
        scale_init=scale_init, name=name,
    )  # fmt: skip


def spectral(layer: nn.Module, *, use: bool, train: bool) -> Callable[[jax.Array], jax.Array]:
    """The layer, its kernel divided by its largest singular value where `use` says so (Miyato et al. 2018).

    One power iteration a step; its estimate is among the batch statistics.
    """
    return functools.partial(nn.SpectralNorm(layer), update_stats=train) if use else layer


class ConvNorm(nn.Module):
    """Convolution (or stride-2 deconvolution), batch normalisation over all devices, ReLU.

    At inference the normalisation is folded into the kernel.
    """

    features: int
    size: int
    up: bool = False
    norm: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        kernel = self.param(
            "kernel", nn.initializers.he_normal(), (self.size, self.size, x.shape[-1], self.features)
        ).astype(x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        apply = deconv if self.up else conv
        if not self.norm:
            return nn.relu(apply(x, kernel) + bias.astype(x.dtype))
        scale = self.param("scale", nn.initializers.ones, (self.features,))
        shift = self.param("shift", nn.initializers.zeros, (self.features,))
        mean = self.variable("batch_stats", "mean", jnp.zeros, (self.features,))
        var = self.variable("batch_stats", "var", jnp.ones, (self.features,))
        if not train:
            gain = scale * lax.rsqrt(var.value + BN_EPSILON)
            return nn.relu(
                apply(x, kernel * gain.astype(x.dtype)) + ((bias - mean.value) * gain + shift).astype(x.dtype)
            )
        y = apply(x, kernel)  # The bias cancels in training: only its running mean sees it.
        batch_mean = jnp.mean(y, (0, 1, 2))
        square = jnp.mean(jnp.square(y), (0, 1, 2))
        if not self.is_initializing():
            batch_mean, square = parallel.mean((batch_mean, square))
        batch_var = jnp.maximum(square - jnp.square(batch_mean), 0)
        if not self.is_initializing():
            mean.value = BN_MOMENTUM * mean.value + (1 - BN_MOMENTUM) * (batch_mean + bias)
            var.value = BN_MOMENTUM * var.value + (1 - BN_MOMENTUM) * batch_var
        return nn.relu((y - batch_mean) * (scale * lax.rsqrt(batch_var + BN_EPSILON)) + shift)


class MultiScaleConv(nn.Module):
    """Parallel k x k convolutions with biases, their outputs concatenated or averaged, as one convolution.

    A small kernel padded with zeros is a large one; so the branches are one kernel as large as the largest.
    """

    features: int  # of each branch
    sizes: Sequence[int]
    average: bool = False  # else concatenate

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        largest = max(self.sizes)
        kernels, biases = [], []
        for size in self.sizes:
            kernel = self.param(
                f"kernel{size}", nn.initializers.lecun_normal(), (size, size, x.shape[-1], self.features)
            )
            margin = (largest - size) // 2
            kernels.append(jnp.pad(kernel, ((margin, margin), (margin, margin), (0, 0), (0, 0))))
            biases.append(self.param(f"bias{size}", nn.initializers.zeros, (self.features,)))
        if self.average:
            kernel, bias = sum(kernels) / len(kernels), sum(biases) / len(biases)
        else:
            kernel, bias = jnp.concatenate(kernels, -1), jnp.concatenate(biases, -1)
        return conv(x, kernel.astype(x.dtype)) + bias.astype(x.dtype)
