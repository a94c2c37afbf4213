"""The convolutions of VGG16 and VGG19 (torchvision's "features", Keras' "notop").

Source: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015, Table 1.
"""

import flax.linen as nn
import jax

from jaxdefect.backbones.squeezenet import HE
from jaxdefect.networks.blocks import Conv
from jaxdefect.networks.convolution import max_pool

CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # of each block
CHANNELS = (64, 128, 256, 512, 512)


def torch_name(convolutions: tuple[int, ...], layer: str) -> str:
    """The name torchvision gives a layer of a net of so many convolutions: block2_conv1 is features.5."""
    block, number = (int(part[-1]) for part in layer.split("_"))
    before = sum(2 * count + 1 for count in convolutions[: block - 1])  # Rectifiers and pools count as layers.
    return f"features.{before + 2 * (number - 1)}"


class VGG(nn.Module):
    """[B, H, W, 3] -> the maps of blocks 1 to 5, each before its pool: of 224 pixels 224, 112, 56, 28 and 14 a side."""

    convolutions: tuple[int, ...]  # of each block

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, ...]:
        del train  # Nothing here is normalised.
        x, maps = images, []
        for block, (count, channels) in enumerate(zip(self.convolutions, CHANNELS, strict=True), 1):
            if maps:
                x = max_pool(x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2])
            for number in range(1, count + 1):
                x = nn.relu(Conv(channels, 3, 1, 1, HE, name=f"block{block}_conv{number}")(x))
            maps.append(x)
        return tuple(maps)
