"""AE-SSIM, an autoencoder of patches that learns and judges by SSIM; AE-L2 with settings.loss = "mse".

python -m launch.train --detector ae_ssim --preset small
python -m launch.train --detector ae_ssim --preset small settings.loss=mse
python -m launch.train --detector ae_ssim --preset paper --dataset mvtec --data FOLDER

Published pixel AUROC on MVTec AD, AE-SSIM / AE-L2: carpet .87 / .59, grid .94 / .90, leather .78 / .75, tile .59 / .51,
wood .73 / .73.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, objects, small for machines without an accelerator, and tiny for tests."""
    config = base.get_config()
    config.detector, config.preset = "ae_ssim", preset
    config.train.update(steps=15600, batch=128, patch=128, log_every=50, save_every=500)
    config.settings = ConfigDict()
    config.settings.size = 128  # pixels a side of the patches, as train.patch; a multiple of 16
    config.settings.overlap = 64  # pixels shared by neighbouring tiles of a larger image
    config.settings.width = 32  # channels of the first convolution, four times as many at the deepest
    config.settings.latent = 100  # numbers a patch is encoded in
    config.settings.loss = "ssim"  # and the residual of the map; mse for AE-L2
    config.settings.learning_rate = 2e-4
    config.settings.weight_decay = 1e-5
    config.settings.box = 1  # side of the mean filter over the residual, pixels; 1 for none
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """Textures: 200 epochs of 10,000 patches of 128 x 128 grey pixels, batch 128, a code of 100 numbers."""
    del config


def objects(config: ConfigDict) -> None:
    """Whole objects at 128 x 128 pixels, a code of 500 numbers."""
    base.at_size(config, 128)
    config.settings.latent = 500


def small(config: ConfigDict) -> None:
    """Half the channels, batch 16: minutes on two cores."""
    config.train.update(steps=400, batch=16, log_every=20, save_every=200)
    config.settings.update(width=16, learning_rate=1e-3, box=5)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    config.train.update(steps=20, batch=16, patch=32, log_every=5, save_every=10)
    config.score.update(tile=64, overlap=16)
    config.settings.update(size=32, overlap=8, width=4, latent=8, learning_rate=5e-3, box=3)
    config.report.images = 4


PRESETS = {"paper": paper, "objects": objects, "small": small, "tiny": tiny}
