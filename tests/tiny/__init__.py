"""Configs that train in seconds on one core, for tests and not for detection: tables on top of a default preset."""

import importlib
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from configs import base
from launch.command.configuration import assign, get, word

SMALL_REPORT = {"train.batch": 8, "train.log_every": 5, "train.save_every": 10, "report.images": 4}
FEW_STEPS = SMALL_REPORT | {"train.steps": 20, "score.tile": 64, "score.overlap": 16}
CLASSICAL = SMALL_REPORT | {"train.patch": 16}
SEGMENTS = FEW_STEPS | {"data.options": {"train_defective": 10}, "train.patch": 48}  # learns from outlined defects
CLASSIFIER = SEGMENTS | {
    "data.size": 0,  # Windows about the outlined defects: the images stay as large as they are.
    "train.max_masks": -1, "train.flips": False, "settings.size": 32, "settings.learning_rate": 3e-3,
    "settings.decay": 0.5, "settings.decay_every": 20,
}  # fmt: skip
FROZEN = {  # a random backbone of a few channels
    "train.batch": 8, "train.patch": 16, "score.tile": 64, "score.overlap": 16, "report.images": 4,
    "settings.backbone": "small", "settings.backbone_width": 4, "settings.stages": (0, 1),
}  # fmt: skip
SURFACES = SMALL_REPORT | {  # images of 64 x 64 pixels, looked at as 16 x 16 with a backbone of a few channels
    "data.size": 64, "data.options.size": 64, "data.options.train": 4, "data.options.train_defective": 4,
    "data.options.test_good": 2, "data.options.test_defective": 2, "train.steps": 20, "train.patch": 16,
    "settings.backbone": "small", "settings.backbone_width": 2, "settings.backbone_size": 16,
    "settings.backbone_steps": 3, "settings.backbone_rate": 1e-2,
}  # fmt: skip


def whole(size: int) -> dict[str, Any]:
    """For detectors that see whole images of so many pixels a side."""
    return FEW_STEPS | base.at_size(size)


VARIANTS = {  # detectors with a switch turned: (detector, fields)
    "dae_skip": ("dae", {"settings.skip": True}),
    "cae_multiloss": ("cae", {"settings.losses": ("mse", "ssim")}),
    "tf_vaegan": ("sbad", {"settings.tf_vaegan": True, "settings.attribute_weight": 0.01}),
}


def detector_of(name: str) -> str:
    """The detector of a variant; that of a detector is itself."""
    return VARIANTS.get(name, (name,))[0]


def of(name: str) -> dict[str, Any]:
    """The tiny fields of a detector or variant: those of tests/tiny/<detector>.py, else what makes any config small."""
    detector, more = VARIANTS.get(name, (name, {}))
    if (Path(__file__).parent / f"{detector}.py").is_file():
        return importlib.import_module(f"tests.tiny.{detector}").TINY | more
    default = get(detector)
    sized = base.at_size(16) if "size" in default.settings else {}
    return FEW_STEPS | sized | {"train.steps": min(default.train.steps, 20)} | more


def words(name: str, *, synthetic: bool = True) -> list[str]:
    """The same as overrides of a command line. synthetic: with data.options, which are of the synthetic images."""
    fields = of(name).items()
    return [word(field, value) for field, value in fields if synthetic or not field.startswith("data.options")]


def config(name: str) -> ConfigDict:
    """The tiny config of a detector."""
    config = get(detector_of(name))
    if config.data.channels == "auto":
        assign(config, {"data.channels": 1})
    assign(config, of(name))
    return config
