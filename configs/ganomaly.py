"""GANomaly on images brought to one size.

python -m launch.train --detector ganomaly --preset small
python -m launch.train --detector ganomaly --preset small --dataset mvtec --data FOLDER
python -m launch.train --detector ganomaly --preset paper --dataset rsdds --data FOLDER
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = base.whole_images("ganomaly", preset)
    config.train.update(steps=10000, batch=64, log_every=50, save_every=500)
    base.at_size(config, 64)  # pixels a side; a power of two
    config.settings.latent = 100  # numbers an image is encoded in
    config.settings.width = 64  # channels of the maps next to the image, doubling inwards
    config.settings.cap = 512  # channels of a map at most
    config.settings.adversarial = 1.0  # weight of matching the discriminator's features
    config.settings.contextual = 50.0  # weight of the L1 distance of pixels
    config.settings.encoding = 1.0  # weight of the squared distance of latents
    config.settings.learning_rate = 2e-4
    config.settings.box = 5  # side of the mean filter over the residual, pixels
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """64 x 64 pixels, batch 64."""
    del config


def small(config: ConfigDict) -> None:
    """A quarter of the channels: a minute on two cores."""
    config.train.update(steps=400, batch=16, log_every=20, save_every=200)
    config.settings.update(width=16, cap=128, learning_rate=1e-3)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    base.for_tests(config, 16)
    config.settings.update(latent=8, width=4, learning_rate=2e-3, box=3)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
