"""SSIM-AE, a deep autoencoder that learns by multi-scale SSIM in colour, on images brought to one size.

python -m launch.train --detector ssim_ae --preset small
python -m launch.train --detector ssim_ae --preset paper --dataset mvtec --data FOLDER/hazelnut

The report stopped early after 509 epochs with loss .0429, val_loss .0402, mse .000789 and val_mse .000744 (its Table 1,
hazelnut of MVTec AD).
"""

from configs import base

SETTINGS = {
    "size": 128,  # pixels a side; a multiple of 2 to the number of widths
    "widths": (32, 64, 128, 256),  # channels at each size; a pooling follows each
    "code": 32,  # channels of the smallest; 32 of 8 x 8 pixels are 1/24 of the numbers of an image
    "scales": 4,  # of the multi-scale SSIM, 1 to 5; the coarsest has at least 11 pixels a side
    "learning_rate": 5e-4,
    "residual": "squared",  # error of a pixel: squared, absolute or ssim
    "percentile": 99.0,  # of the errors of training pixels: what is above it is redrawn too badly
    "box": 1,  # side of the mean filter over the error, pixels; 1 for none
}
# Thresholds are fitted on images held out: training images have too few pixels above their own percentile.
BASE = base.at_size(128) | {
    "data.channels": 3, "train.steps": 10000, "train.batch": 16, "train.save_every": 500,
    "train.flips": True, "train.zoom": 0.1,
    "train.validate": True, "train.patience": 20, "train.restore": "best",  # Early stopping.
}  # fmt: skip
PRESETS = {
    # Convolutions, poolings and upsamplings, four sizes deep; every number is ours: the report names none.
    "paper": {},
    # 64 x 64 pixels and three sizes: minutes on two cores.
    "small": base.TWO_CORES | base.at_size(64) | {
        "train.steps": 300, "train.save_every": 100, "settings.widths": (8, 16, 32), "settings.code": 8,
        "settings.scales": 3, "settings.learning_rate": 2e-3, "settings.box": 5,
    },
}  # fmt: skip
