"""A small network for where no weights are at hand: drawn at random, or trained on the surfaces themselves."""

import flax.linen as nn
import jax

from jaxdefect.backbones.squeezenet import HE
from jaxdefect.networks.blocks import Conv, batch_norm

STAGES = 5


def torch_name(layer: str) -> str:
    """Its own names in a .safetensors file: conv1, bn1."""
    return layer


def channels(width: int) -> tuple[int, ...]:
    return tuple(width * 2**stage for stage in range(STAGES))


class Small(nn.Module):
    """[B, H, W, 3] -> the maps of five convolutions: of 64 x 64 pixels 32, 16, 8, 4 and 2 a side."""

    width: int  # channels of the first map; each further one has twice as many

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, ...]:
        x, maps = images, []
        for number, features in enumerate(channels(self.width), 1):
            x = Conv(features, 3, 2, 1, HE, bias=False, name=f"conv{number}")(x)
            x = nn.relu(batch_norm(train=train, name=f"bn{number}")(x))
            maps.append(x)
        return tuple(maps)
