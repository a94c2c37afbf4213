"""SqueezeNet 1.1 without its classifier: fire modules, a few 1 x 1 filters that feed more of 1 x 1 and 3 x 3.

Sides that a pool does not divide are cut, as Keras does (torchvision rounds up; at 224 pixels both are the same).

Source: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and < 0.5 MB model size", 2016.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect.networks.blocks import Conv
from jaxdefect.networks.convolution import max_pool3

HE = nn.initializers.he_normal()
CHANNELS = (128, 256, 512)
SQUEEZED = (16, 16, 32, 32, 48, 48, 64, 64)  # 1 x 1 filters of fire2 to fire9; each is expanded to 4 + 4 times as many
TORCH = {"conv1": 0, "fire2": 3, "fire3": 4, "fire4": 6, "fire5": 7, "fire6": 9, "fire7": 10, "fire8": 11, "fire9": 12}


def torch_name(layer: str) -> str:
    """The name torchvision gives a layer: fire2/squeeze1x1 is features.3.squeeze."""
    block, *part = layer.split("/")
    return ".".join([f"features.{TORCH[block]}", *part]).replace("squeeze1x1", "squeeze")


class Fire(nn.Module):
    """[B, H, W, C] -> [B, H, W, 8 squeezed]."""

    squeezed: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        layer = lambda features, size, name: Conv(features, size, 1, None, HE, name=name)
        x = nn.relu(layer(self.squeezed, 1, "squeeze1x1")(x))
        both = layer(4 * self.squeezed, 1, "expand1x1")(x), layer(4 * self.squeezed, 3, "expand3x3")(x)
        return nn.relu(jnp.concatenate(both, -1))


class SqueezeNet(nn.Module):
    """[B, H, W, 3] -> the maps after fire3, fire5 and fire9: of 224 x 224 pixels 55 x 55, 27 x 27 and 13 x 13."""

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, ...]:
        del train  # Nothing here is normalised.
        x = nn.relu(Conv(64, 3, 2, 0, HE, name="conv1")(images))
        maps = []
        for number, squeezed in enumerate(SQUEEZED, 2):
            if number in (2, 4, 6):
                x = max_pool3(x)
            x = Fire(squeezed, name=f"fire{number}")(x)
            if number in (3, 5, 9):
                maps.append(x)
        return tuple(maps)
