"""Nearest mean of features: what SBAD has to beat.

python -m launch.train --detector nearest_mean settings.weights=squeezenet.h5
python -m launch.train --detector nearest_mean --preset self_trained          # no weights file at all
"""

from ml_collections import ConfigDict

from configs import sbad


def get_config(preset: str = "small") -> ConfigDict:
    """Presets: paper (SBAD's backbone), small, self_trained, and tiny for tests."""
    config = sbad.surfaces("nearest_mean", preset)
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """ResNet-101 (give settings.weights); five epochs, in which nearly every image is drawn."""
    config.train.update(steps=300, log_every=20, save_every=100)


def small(config: ConfigDict) -> None:
    """SqueezeNet features (give settings.weights)."""
    sbad.synthetic(config, "squeezenet", 224)
    config.train.update(steps=60, log_every=10, save_every=20)


def self_trained(config: ConfigDict) -> None:
    """As small, with a backbone of its own in place of SqueezeNet and a file of weights."""
    small(config)
    sbad.self_training(config, 200)
    config.train.update(steps=300, save_every=100)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    sbad.for_tests(config, 3)


PRESETS = {"paper": paper, "small": small, "self_trained": self_trained, "tiny": tiny}
