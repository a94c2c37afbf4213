"""ALOCC, the adversarially learned one-class classifier, on images brought to one size.

python -m launch.train --detector alocc --preset small
python -m launch.train --detector alocc --preset small --dataset mvtec --data FOLDER
python -m launch.train --detector alocc --preset paper --dataset rsdds --data FOLDER
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = base.whole_images("alocc", preset)
    config.train.update(steps=10000, batch=64, log_every=50, save_every=500)
    config.train.restore = "best"  # The paper stops on a low reconstruction error.
    base.at_size(config, 64)  # pixels a side; a multiple of 2^levels
    config.settings.width = 64  # channels of the first map of R, doubling inwards
    config.settings.critic_width = 64  # channels of the first map of D, doubling inwards
    config.settings.levels = 4  # how often both halve an image
    config.settings.noise = 0.155  # standard deviation of the noise to be taken out, of pixels in [-1, 1]
    config.settings.reconstruction = 0.4  # lambda, weight of the squared error, mean over pixels
    config.settings.learning_rate = 2e-4
    config.settings.box = 5  # side of the mean filter over the residual, pixels
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """64 x 64 pixels, batch 64."""
    del config


def small(config: ConfigDict) -> None:
    """A quarter of the channels, an eighth in the discriminator: a minute on two cores."""
    config.train.update(steps=400, batch=16, log_every=20, save_every=100)
    config.settings.update(width=16, critic_width=8, learning_rate=1e-3)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    base.for_tests(config, 16)
    config.settings.update(width=4, critic_width=2, levels=2, learning_rate=2e-3, box=3)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
