"""Backbones: what networks trained on ImageNet see in an image.

Images are [B, H, W, C] float32 in [0, 1]; a backbone resizes them to its own input side. It makes feature maps
[B, h, w, channels], one of each stage, the coarsest last. Its variables are a plain tree of arrays, so that they may
live in a detector's state: `params`, `batch_stats` (maybe empty) and `input`, the `mean` [3] and `std` [3] of red,
green and blue that its training images were normalised by, in units of [0, 1]. They come from a file
(`weights.load`), or are drawn at random (`init`). Only `small` is meant to be trained here:

    images = backbones.normalised(backbone, variables, images)
    maps, stats = nets.apply(backbone.net, variables["params"], variables["batch_stats"], images, train=True)
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect.backbones import resnet, small, squeezenet, vgg
from jaxdefect.detector import nearest
from jaxdefect.maps import residuals
from jaxdefect.networks import blocks

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}  # as torchvision normalises
SIDE = 32  # pixels; the weights are the same for any image size, and a small one is traced fastest

Variables = dict[str, Any]


class Backbone(NamedTuple):
    name: str
    net: nn.Module  # (images [B, H, W, 3] normalised, *, train) -> maps
    channels: tuple[int, ...]  # of each stage
    size: int  # pixels a side of what the net looks at
    torch_name: Callable[[str], str]  # what torchvision calls a layer ("layer1_0/conv1")


def names() -> list[str]:
    """The backbones there are."""
    return sorted([*resnet.BLOCKS, *vgg.CONVOLUTIONS, "small", "squeezenet"])


def load(name: str, *, width: int = 16) -> Backbone:
    """A backbone by name; weights come from `init` or `weights.load`. width: channels of the first map of `small`.

    Raises ValueError for a name that is not among `names()`.
    """
    if name in resnet.BLOCKS:
        bottleneck = name not in resnet.SHALLOW
        net = resnet.ResNet(resnet.BLOCKS[name], bottleneck)
        return Backbone(name, net, resnet.channels(bottleneck), 224, resnet.torch_name)
    if name in vgg.CONVOLUTIONS:
        counts = vgg.CONVOLUTIONS[name]
        return Backbone(name, vgg.VGG(counts), vgg.CHANNELS, 224, partial(vgg.torch_name, counts))
    if name == "squeezenet":
        return Backbone(name, squeezenet.SqueezeNet(), squeezenet.CHANNELS, 224, squeezenet.torch_name)
    if name == "small":
        return Backbone(name, small.Small(width), small.channels(width), 64, small.torch_name)
    raise ValueError(f"no backbone named {name!r}{nearest(name, names())}")


def init(backbone: Backbone, key: jax.Array) -> Variables:
    """Random variables: the same for the same key."""
    drawn = backbone.net.init(key, jnp.zeros((1, SIDE, SIDE, 3)), train=False)
    normal = {name: np.array(values, np.float32) for name, values in IMAGENET.items()}
    return {"params": drawn["params"], "batch_stats": drawn.get("batch_stats", {}), "input": normal}


def normalised(backbone: Backbone, variables: Variables, images: jax.Array) -> jax.Array:
    """Images [B, H, W, 1 or 3] as the net wants them: [B, size, size, 3]. Grey is the same in all three colours.

    A backbone of size 0 looks at images at their own size.
    """
    side = backbone.size
    resized = residuals.resize(images, side, side) if side else images
    return (resized - variables["input"]["mean"]) / variables["input"]["std"]  # Broadcasts one channel to three.


def maps(backbone: Backbone, variables: Variables, images: jax.Array) -> tuple[jax.Array, ...]:
    """The feature maps of images [B, H, W, 1 or 3]: of each stage [B, h, w, channels], the coarsest last."""
    inputs = normalised(backbone, variables, images)
    stages, _ = blocks.apply(backbone.net, variables["params"], variables["batch_stats"], inputs, train=False)
    return stages


def features(backbone: Backbone, variables: Variables, images: jax.Array) -> jax.Array:
    """[B, H, W, 1 or 3] -> [B, channels[-1]]: the average of the last map."""
    return jnp.mean(maps(backbone, variables, images)[-1], (1, 2))
