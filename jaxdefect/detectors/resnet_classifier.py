"""A residual (or other) network from ImageNet that learns to tell good images from defective ones, or kinds of defect.

Transfer learning: a front end that was trained on ImageNet sees the image, and a linear head on the average of its
last map decides. A frozen front end leaves only the head to be learned, so that few images and minutes are enough; a
fine-tuned one, or one without weights, learns, too. The map is the class activation map: the head's decision at each
place of the last map.

Supervised, but by labels alone: no outline of a defect is ever looked at.

Use it as soon as some dozens of images are sorted into good and defective: minutes to train on a pretrained
network.

Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016; the map is that of Zhou, Khosla,
Lapedriza, Oliva, Torralba, "Learning deep features for discriminative localization", CVPR 2016, Section 2. Classifiers
of defects with ResNets and pretrained front ends: Gong et al., "Application of deep learning in defect detection",
Journal of Physics: Conference Series 1684, 2020, Sections 3.1.4 and 4, a survey without values.
"""

from jaxdefect.backbones.front_end import front_end, loaded_or_drawn
from jaxdefect.detector import Detector
from jaxdefect.families.classifier import classifier


def make(
    *,
    backbone: str,
    backbone_width: int,
    weights: str,
    frozen: bool,
    size: int,
    kinds: tuple[str, ...],
    learning_rate: float,
    decay: float,
    decay_every: int,
) -> Detector:
    """A classifier with a network from ImageNet as its front end. Floats (learning_rate, decay) may be tracers.

    backbone: a name of `backbones.names()`; backbone_width: channels of the first map of `small`. weights: path of its
    file, "" to draw them at random. frozen: only the head learns, and normalisations use the averages that came with
    the weights. size: pixels a side of what the front end sees. kinds, learning_rate, decay, decay_every: see
    `classifier`. Raises ValueError for what cannot be, and what `weights.load` raises.
    """
    front = front_end(backbone, width=backbone_width, size=size)
    return classifier(
        front, loaded_or_drawn(front, weights), frozen=frozen, kinds=kinds,
        learning_rate=learning_rate, decay=decay, decay_every=decay_every,
    )  # fmt: skip
