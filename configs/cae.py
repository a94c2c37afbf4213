"""CAE, a small convolutional autoencoder, on images brought to one size.

python -m launch.train --detector cae --preset small
python -m launch.train --detector cae --preset small --dataset mvtec --data FOLDER
python -m launch.train --detector cae --preset paper --dataset mvtec --data FOLDER/hazelnut
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = base.whole_images("cae", preset)
    config.data.channels = 3
    config.threshold.fitted_on = "calibration"  # Training images have too few pixels above their own percentile.
    config.train.update(steps=10000, batch=32, log_every=50, save_every=500)
    base.at_size(config, 128)  # pixels a side; a multiple of 8
    config.settings.width = 16  # channels of the first convolution, doubling inwards
    config.settings.dense = 256  # units between the convolutions and the code
    config.settings.latent = 64  # numbers an image is encoded in
    config.settings.learning_rate = 1e-3
    config.settings.decay = 0.5  # factor of the learning rate ...
    config.settings.decay_every = 2000  # ... after so many steps (StepLR)
    config.settings.percentile = 99.0  # of the errors of training pixels: what is above it is redrawn too badly
    config.settings.box = 1  # side of the mean filter over the squared error, pixels; 1 for none
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """Three convolutions, two dense layers, Adam with StepLR; every number is ours: the report names none."""
    del config


def small(config: ConfigDict) -> None:
    """64 x 64 pixels and half the channels: a minute on two cores."""
    base.for_two_cores(config)
    config.settings.update(width=8, dense=128, latent=32, decay_every=200, box=5)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    base.for_tests(config, 16)
    config.data.channels = 1
    config.settings.update(width=2, dense=16, latent=8, learning_rate=5e-3, decay_every=10, box=3)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
