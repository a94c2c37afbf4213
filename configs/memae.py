"""MemAE, an autoencoder with a memory of normal codes, on images brought to one size.

python -m launch.train --detector memae --preset small
python -m launch.train --detector memae --preset small --dataset mvtec --data FOLDER
python -m launch.train --detector memae --preset paper --dataset rsdds --data FOLDER
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = base.whole_images("memae", preset)
    config.train.update(steps=10000, batch=32, log_every=50, save_every=500)
    base.at_size(config, 256)  # pixels a side
    config.settings.width = 16  # channels of the first layer; the code has 16 times as many
    config.settings.items = 2000  # codes in the memory
    config.settings.shrink = 0.0025  # weights of items up to it are dropped
    config.settings.sharpness = 16.0  # factor of the cosine similarity in the softmax: the root of the code's channels
    config.settings.sparsity = 2e-4  # weight of the entropy of the weights
    config.settings.learning_rate = 1e-4
    config.settings.box = 5  # side of the mean filter over the squared residual, pixels
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """Memory and losses of Gong et al., layers of MAA's Table I: 256 x 256 pixels, batch 32; 1.3 million weights."""
    del config


def small(config: ConfigDict) -> None:
    """64 x 64 pixels, half the channels and a tenth of the items: minutes on two cores."""
    base.for_two_cores(config)
    config.settings.update(width=8, items=200, shrink=0.025, sharpness=11.0, learning_rate=1e-3)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    base.for_tests(config, 16)
    config.settings.update(width=2, items=20, shrink=0.05, sharpness=6.0, learning_rate=5e-3, box=3)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
