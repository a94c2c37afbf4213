"""DAE, a deep autoencoder, on images brought to one size.

python -m launch.train --detector dae --preset small
python -m launch.train --detector dae --preset small --dataset mvtec --data FOLDER
python -m launch.train --detector dae --preset paper --dataset rsdds --data FOLDER
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = base.whole_images("dae", preset)
    config.train.update(steps=10000, batch=32, log_every=50, save_every=500)  # As MAA, its rival.
    base.at_size(config, 256)  # pixels a side
    config.settings.width = 16  # channels of the first layer; the others follow as in Table I of MAA
    config.settings.skip = False  # skip connections at the three scales: the detector dae_skip
    config.settings.learning_rate = 1e-4
    config.settings.box = 5  # side of the mean filter over the squared residual, pixels
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """256 x 256 pixels, batch 32; 0.8 million weights, 0.9 with skips."""
    del config


def small(config: ConfigDict) -> None:
    """64 x 64 pixels and half the channels: minutes on two cores."""
    base.for_two_cores(config)
    config.settings.update(width=8, learning_rate=1e-3)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    base.for_tests(config, 16)
    config.settings.update(width=2, learning_rate=5e-3, box=3)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
