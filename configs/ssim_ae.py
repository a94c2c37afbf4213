"""SSIM-AE, a deep autoencoder that learns by multi-scale SSIM in colour, on images brought to one size.

python -m launch.train --detector ssim_ae --preset small
python -m launch.train --detector ssim_ae --preset small --dataset mvtec --data FOLDER
python -m launch.train --detector ssim_ae --preset paper --dataset mvtec --data FOLDER/hazelnut

The report stopped early after 509 epochs with loss .0429, val_loss .0402, mse .000789 and val_mse .000744 (its Table 1,
hazelnut of MVTec AD).
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = base.whole_images("ssim_ae", preset)
    config.data.channels = 3
    config.threshold.fitted_on = "calibration"  # Training images have too few pixels above their own percentile.
    config.train.update(steps=10000, batch=16, log_every=50, save_every=500)
    config.train.update(flips=True, zoom=0.1)  # Augmentation, and early stopping by the loss on held-out images:
    config.train.update(validate=True, patience=20, restore="best")
    base.at_size(config, 128)  # pixels a side; a multiple of 2 to the number of widths
    config.settings.widths = (32, 64, 128, 256)  # channels at each size; a pooling follows each
    config.settings.code = 32  # channels of the smallest; 32 of 8 x 8 pixels are 1/24 of the numbers of an image
    config.settings.scales = 4  # of the multi-scale SSIM, 1 to 5; the coarsest has at least 11 pixels a side
    config.settings.learning_rate = 5e-4
    config.settings.residual = "squared"  # error of a pixel: squared, absolute or ssim
    config.settings.percentile = 99.0  # of the errors of training pixels: what is above it is redrawn too badly
    config.settings.box = 1  # side of the mean filter over the error, pixels; 1 for none
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """Convolutions, poolings and upsamplings, four sizes deep; every number is ours: the report names none."""
    del config


def small(config: ConfigDict) -> None:
    """64 x 64 pixels and three sizes: minutes on two cores."""
    base.at_size(config, 64)
    config.train.update(steps=300, batch=16, log_every=20, save_every=100)
    config.settings.update(widths=(8, 16, 32), code=8, scales=3, learning_rate=2e-3, box=5)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    base.for_tests(config, 24)
    config.settings.update(widths=(4, 8), code=4, scales=2, learning_rate=5e-3, box=3)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
