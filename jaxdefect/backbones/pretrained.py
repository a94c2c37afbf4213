"""Which file holds the weights of a detector's backbone: the one that is given, or one found in $JAXDEFECT_WEIGHTS."""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from jaxdefect.backbones.weights import PICKLES, READERS, check_kind

RANDOM = "random"  # in place of a file: a network of random weights is meant
UNTRAINED = ("small",)  # backbones of which there are no pretrained weights
FOLDER = "JAXDEFECT_WEIGHTS"
OTHER_NAMES = {"squeezenet": ("squeezenet1_1", "squeezenet_v1.1", "squeezenet_weights")}  # of torchvision and Keras


def choose(detector: str, settings: Mapping[str, Any], given: str) -> str:
    """The file of weights of a detector whose setting `backbone` names a network.

    given: a path, RANDOM, or "" for the one in the folder $JAXDEFECT_WEIGHTS, or below it, that is named as the
    backbone is. Raises ValueError where there is none, or several: a network of random weights is never taken for a
    trained one. "" for a backbone that has no pretrained weights.
    """
    backbone = settings["backbone"]
    if given or backbone in UNTRAINED:
        return given
    found = find(backbone, READERS)
    if len(found) == 1:
        return str(found[0])
    if found:
        listed = ", ".join(map(str, found))
        raise ValueError(f"weights: ${FOLDER} holds several files for {backbone}: {listed}; give one by --weights FILE")
    for pickled in find(backbone, PICKLES):
        check_kind(pickled)
    raise ValueError(f"weights: {detector} looks through {backbone} as it was trained on ImageNet, and no file of its "
                     f"weights is given; give --weights FILE (docs/weights.md tells where to get one), put it into the "
                     f"folder ${FOLDER} as {backbone}.safetensors, or mean a network of random weights by "
                     f"--weights {RANDOM}")  # fmt: skip


def find(backbone: str, suffixes: Collection[str]) -> list[Path]:
    """The files of a backbone's weights in the folder $JAXDEFECT_WEIGHTS and below it, sorted."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return []
    # Not vgg16_bn for vgg16, nor resnet101 for a resnet10.
    named = re.compile(rf"({'|'.join(map(re.escape, (backbone, *OTHER_NAMES.get(backbone, ()))))})(?![0-9a-z]|_bn)")
    return sorted(
        path.resolve() for path in Path(folder).expanduser().rglob("*")
        if path.suffix.lower() in suffixes and named.match(path.name.lower())
    )  # fmt: skip
