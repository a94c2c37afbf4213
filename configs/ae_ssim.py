"""AE-SSIM, an autoencoder of patches that learns and judges by SSIM; AE-L2 with settings.loss=mse.

python -m launch.train --detector ae_ssim --preset small
python -m launch.train --detector ae_ssim --preset small settings.loss=mse
python -m launch.train --detector ae_ssim --preset paper --dataset mvtec --data FOLDER

Published pixel AUROC on MVTec AD, AE-SSIM / AE-L2: carpet .87 / .59, grid .94 / .90, leather .78 / .75, tile .59 / .51,
wood .73 / .73.
"""

from configs import base

SETTINGS = {
    "size": 128,  # pixels a side of the patches, as train.patch; a multiple of 16
    "overlap": 64,  # pixels shared by neighbouring tiles of a larger image
    "width": 32,  # channels of the first convolution, four times as many at the deepest
    "latent": 100,  # numbers a patch is encoded in
    "loss": "ssim",  # of training, and the residual of the map: ssim, or mse for AE-L2
    "learning_rate": 2e-4,
    "weight_decay": 1e-5,
    "box": 1,  # side of the mean filter over the residual, pixels; 1 for none
}
BASE = {"train.steps": 15600, "train.batch": 128, "train.patch": 128, "train.save_every": 500}
PRESETS = {
    "paper": {},  # Textures: 200 epochs of 10,000 patches of 128 x 128 grey pixels, batch 128.
    "objects": base.at_size(128) | {"settings.latent": 500},  # Whole objects at 128 x 128 pixels.
    # Half the channels: minutes on two cores.
    "small": base.TWO_CORES | {"settings.width": 16, "settings.learning_rate": 1e-3, "settings.box": 5},
}
