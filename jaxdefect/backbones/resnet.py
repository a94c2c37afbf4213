"""ResNets without their classifier, as torchvision has them: in a bottleneck the 3 x 3 convolution strides ("v1.5").

Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016, Table 1.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect.backbones.squeezenet import HE
from jaxdefect.networks.blocks import Conv, batch_norm
from jaxdefect.networks.convolution import max_pool3

BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}  # of each stage
SHALLOW = ("resnet18",)  # two 3 x 3 convolutions in a block; the others have bottlenecks
WIDEN = 4  # times as many channels leave a bottleneck as are inside


def torch_name(layer: str) -> str:
    """The name torchvision and timm give a layer: layer1_0/downsample_1 is layer1.0.downsample.1."""
    return layer.replace("/", ".").replace("_", ".")


def channels(bottleneck: bool) -> tuple[int, ...]:
    return tuple(width * (WIDEN if bottleneck else 1) for width in (64, 128, 256, 512))


class Block(nn.Module):
    """Residual block: [B, H, W, C] -> [B, H / stride, W / stride, features], or 4 features from a bottleneck."""

    features: int
    stride: int
    bottleneck: bool

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        conv = lambda features, size, stride, name: Conv(features, size, stride, size // 2, HE, bias=False, name=name)
        norm = lambda name: batch_norm(train=train, name=name)
        inside = self.features
        if self.bottleneck:
            layers = [(inside, 1, 1), (inside, 3, self.stride), (WIDEN * inside, 1, 1)]
        else:
            layers = [(inside, 3, self.stride), (inside, 3, 1)]
        y = x
        for number, (features, size, stride) in enumerate(layers, 1):
            y = nn.relu(y) if number > 1 else y
            y = norm(f"bn{number}")(conv(features, size, stride, f"conv{number}")(y))
        if x.shape != y.shape:
            reached = x[:, :: self.stride, :: self.stride]  # All that a 1 x 1 convolution of this stride looks at.
            x = norm("downsample_1")(conv(y.shape[-1], 1, 1, "downsample_0")(reached))
        return nn.relu(x + y)


class ResNet(nn.Module):
    """[B, H, W, 3] -> the maps of layer1 to layer4: of 224 x 224 pixels 56, 28, 14 and 7 a side."""

    blocks: tuple[int, ...]  # of each stage
    bottleneck: bool

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, ...]:
        x = Conv(64, 7, 2, 3, HE, bias=False, name="conv1")(images)
        x = nn.relu(batch_norm(train=train, name="bn1")(x))
        x = max_pool3(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))  # Zeros are never above what a ReLU lets through.
        maps = []
        for stage, count in enumerate(self.blocks):
            for number in range(count):
                stride = 2 if stage and not number else 1
                block = Block(64 * 2**stage, stride, self.bottleneck, name=f"layer{stage + 1}_{number}")
                x = block(x, train=train)
            maps.append(x)
        return tuple(maps)
