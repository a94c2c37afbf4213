"""A plain convolutional network that learns, from nothing but labelled images, to tell good ones from defective ones.

Blocks of a convolution, a batch normalisation and a pool, the average of the last map, and a linear head: the first
thing to try where there are some hundred images of either class, and the yardstick of pretrained front ends
(`resnet_classifier`, which learns and draws its map in the same way).

Use it where some dozens of images are sorted into good and defective, and no pretrained network is at hand.

Source: Gong et al., "Application of deep learning in defect detection", Journal of Physics: Conference Series 1684,
2020, Section 3.1.2, a survey without values; batch normalisation and the pooled head are today's usual choice.
"""

import flax.linen as nn
import jax

from jaxdefect import backbones
from jaxdefect.backbones import Backbone
from jaxdefect.backbones.squeezenet import HE
from jaxdefect.detector import Detector
from jaxdefect.families.classifier import classifier
from jaxdefect.networks.blocks import Conv, batch_norm
from jaxdefect.networks.convolution import max_pool_odd


class Plain(nn.Module):
    """[B, H, W, 3] -> the maps of its blocks, each of half the size of the map before."""

    widths: tuple[int, ...]  # channels of each block

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, ...]:
        x, maps = images, []
        for width in self.widths:
            x = Conv(width, 3, 1, 1, HE, bias=False)(x)
            x = max_pool_odd(nn.relu(batch_norm(train=train)(x)))
            maps.append(x)
        return tuple(maps)


def make(
    *,
    widths: tuple[int, ...],
    size: int,
    kinds: tuple[str, ...],
    learning_rate: float,
    decay: float,
    decay_every: int,
) -> Detector:
    """A plain network as a classifier. Floats (learning_rate, decay) may be tracers.

    widths: channels of each block, which halves the image's side. size: pixels a side to which images are resized.
    kinds, learning_rate, decay, decay_every: see `classifier`. Raises ValueError for what cannot be.
    """
    if not widths or min(widths) < 1:
        raise ValueError(f"settings.widths = {tuple(widths)}; give the channels of one block or more, such as (16, 32)")
    if size < 2 ** len(widths):
        raise ValueError(f"settings.size = {size} pixels; {len(widths)} blocks halve it to less than one: use "
                         f"{2 ** len(widths)} or more, or fewer settings.widths")  # fmt: skip
    plain = Backbone("plain", Plain(tuple(widths)), tuple(widths), size, str)
    return classifier(
        plain, lambda key: backbones.init(plain, key), frozen=False, kinds=kinds,
        learning_rate=learning_rate, decay=decay, decay_every=decay_every,
    )  # fmt: skip
