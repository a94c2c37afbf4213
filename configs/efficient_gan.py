"""Efficient-GAN on images brought to one size.

python -m launch.train --detector efficient_gan --preset small
python -m launch.train --detector efficient_gan --preset small --dataset mvtec --data FOLDER
python -m launch.train --detector efficient_gan --preset paper --dataset rsdds --data FOLDER data.size=64 \\
    train.patch=64 settings.size=64
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = base.whole_images("efficient_gan", preset)
    config.train.update(steps=50000, batch=100, log_every=100, save_every=1000)
    base.at_size(config, 28)  # pixels a side; fully connected layers grow with its square
    config.settings.width = 64  # channels of the convolutions; the encoder's go from half to twice that
    config.settings.hidden = 1024  # of the fully connected layers
    config.settings.latent = 200  # length of z
    config.settings.dropout = 0.5  # probability, in the discriminator
    config.settings.decay = 0.999  # of the moving averages that score, per step
    config.settings.feature = 0.1  # weight of the discriminator's features in the score; pixels have the rest
    config.settings.learning_rate = 1e-5
    config.settings.box = 5  # side of the mean filter over the residual, pixels
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """The network for MNIST: 28 x 28 pixels, batch 100."""
    del config


def small(config: ConfigDict) -> None:
    """64 x 64 pixels and fewer channels: a minute on two cores."""
    base.for_two_cores(config)
    config.train.batch = 32
    config.settings.update(width=16, hidden=128, latent=64, decay=0.98, learning_rate=3e-4)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    base.for_tests(config, 16)
    config.settings.update(width=4, hidden=16, latent=4, decay=0.9, learning_rate=2e-3, box=3)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
