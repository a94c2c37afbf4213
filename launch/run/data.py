"""The dataset of a config: as the detector sees it, at original resolution, and what it tells `make`."""

import functools
import json
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

import data_pipeline
from data_pipeline import colours, images
from data_pipeline.colours import Colours
from data_pipeline.load import list_records

LOOKED_AT = 8  # files, to tell whether images are in colour


class Data(NamedTuple):
    """A dataset as the detector sees it, and at original resolution, in the same order."""

    converted: data_pipeline.Dataset
    original: data_pipeline.Dataset
    warning: str | None = None  # what to say of how the images are seen


def open_data(config: ConfigDict) -> Data:
    """Prepares or reads the dataset of a config, of which `settle` is done where it was not."""
    data = settle(config).data
    mix = None
    if data.surfaces_as_classes:
        mix = data_pipeline.Mix(tuple(data.unseen), data.per_surface, data.split_after_augmentation)
    elif data.unseen:
        raise ValueError(f"data.unseen = {tuple(data.unseen)} needs data.surfaces_as_classes=True, where surfaces are "
                         "told apart")  # fmt: skip
    fixed = {
        "root": data.root or None, "seed": data.seed, "calibration_fraction": data.calibration_fraction,
        "test_good_fraction": data.test_good_fraction, "train_defective_fraction": data.train_defective_fraction,
        "surface": data.surface, "mix": mix, "channels": data.channels, **_options(config),
    }  # fmt: skip
    how = conversion(config)
    converted = data_pipeline.load(data.name, scale=how["scale"], resize=how["size"], **fixed)
    same = how == {"scale": 1, "size": None}
    original = converted if same else data_pipeline.load(data.name, **fixed)
    return Data(converted, original, grey_warning(config))


def settle(config: ConfigDict) -> ConfigDict:
    """Puts what the images are in the place of data.channels=auto, so that a run's config says what it saw."""
    if config.data.channels == "auto":
        with config.ignore_type():
            config.data.channels = colours_of(config).channels
    return config


def colours_of(config: ConfigDict) -> Colours:
    """Whether the normal training images of a config are in colour."""
    data = config.data
    return _colours(data.name, data.root, data.surface, json.dumps(_options(config), default=list, sort_keys=True))


@functools.lru_cache(maxsize=16)  # A sweep has hundreds of runs of one set.
def _colours(name: str, root: str, surface: str, options: str) -> Colours:
    records = _listed(name, root, json.loads(options))
    return colours.of([record for record in records if not surface or record.surface == surface])


def _listed(name: str, root: str, options: dict[str, Any]) -> list[data_pipeline.Record]:
    return list_records(name, root or None, **{key: value for key, value in options.items() if key != "allow_unmasked"})


def _options(config: ConfigDict) -> dict[str, Any]:
    """data.options, which are the layout's own."""
    options = config.data.options.to_dict()
    for name in {"name", "root"} & options.keys():
        value = options[name]
        raise ValueError(f"data.options.{name}={value} is no option of a dataset; give data.{name}={value}")
    return options


def conversion(config: ConfigDict) -> dict[str, Any]:
    """How images are resized for the detector: `scale`, a factor, and `size`, (height, width) or None."""
    data = config.data
    if data.size < 0 or data.size and data.scale != 1:
        raise ValueError(f"data.size = {data.size} with data.scale = {data.scale}; give a number of pixels and leave "
                         "the scale at 1, or 0 to keep the images' own size")  # fmt: skip
    if data.width and not data.size:
        raise ValueError(f"data.width = {data.width} without data.size; give data.size, the number of rows, too")
    return {"scale": data.scale, "size": (data.size, data.width or data.size) if data.size else None}


def convert(config: ConfigDict, original: np.ndarray) -> np.ndarray:
    """An image uint8 [H, W, C] in the channels and at the size that the detector of a config sees."""
    height, width = images.target_size(*original.shape[:2], **conversion(config))
    return images.resize_image(images.to_channels(original, config.data.channels), height=height, width=width)


def sizes_of(split: data_pipeline.Split) -> list[tuple[int, int]]:
    """(height, width) of each image, without decoding any."""
    return [(record.height, record.width) for record in split.records]


def patch_of(config: ConfigDict, split: data_pipeline.Split) -> int:
    """train.patch, or, where that is 0, the side of the largest square that fits into every image of a split."""
    return config.train.patch or min((min(size) for size in sizes_of(split)), default=0)


def grey_warning(config: ConfigDict) -> str | None:
    """What to say where coloured images are made grey."""
    if config.data.channels != 1:
        return None
    files = [record.image for record in _listed(config.data.name, config.data.root, _options(config)) if record.image]
    if not any(images.is_coloured(images.read_image(file)) for file in files[:: len(files) // LOOKED_AT + 1]):
        return None
    return "images in colour are made grey (data.channels = 1); data.channels=3 keeps their colours"


def facts_of(config: ConfigDict, data: Data) -> dict[str, Any]:
    """What a detector's `make` may ask of the data by name, beside the fields of config.data.

    kinds: the kinds of defect there are to learn from, sorted, where they are to be told apart; else ().
    """
    kinds = {record.kind for record in data.converted.defective.records}
    return {"kinds": tuple(sorted(kinds)) if config.train.supervision == "kinds" else ()}
