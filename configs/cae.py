"""CAE, a small convolutional autoencoder, on images brought to one size; with one loss or with two.

python -m launch.train --detector cae --preset small
python -m launch.train --detector cae --preset small_multiloss
python -m launch.train --detector cae --preset paper --dataset mvtec --data FOLDER/hazelnut
"""

from configs import base

SETTINGS = {
    "size": 128,  # pixels a side; a multiple of 8
    "width": 16,  # channels of the first convolution, doubling inwards
    "dense": 256,  # units between the convolutions and the code
    "latent": 64,  # numbers an image is encoded in
    "losses": ("mse",),  # ("mse",), or ("mse", "ssim") for MSE + ssim_weight * (1 - SSIM), which needs 16 pixels a side
    "ssim_weight": 1.0,  # of 1 - SSIM, next to the mean squared error
    "learning_rate": 1e-3,
    "decay": 0.5,  # factor of the learning rate ...
    "decay_every": 2000,  # ... after so many steps (StepLR)
    "percentile": 99.0,  # of the errors of training pixels: what is above it is redrawn too badly
    "box": 1,  # side of the mean filter over the squared error, pixels; 1 for none
}
# Thresholds are fitted on images held out: training images have too few pixels above their own percentile.
BASE = base.at_size(128) | {
    "data.channels": 3, "train.steps": 10000, "train.batch": 32, "train.save_every": 500,
}  # fmt: skip
SMALL = base.TWO_CORES | base.at_size(64) | {
    "settings.width": 8, "settings.dense": 128, "settings.latent": 32, "settings.decay_every": 200, "settings.box": 5,
}  # fmt: skip
MULTILOSS = {"settings.losses": ("mse", "ssim")}
PRESETS = {
    "paper": {},  # Three convolutions, two dense layers, Adam with StepLR; every number is ours: the report names none.
    "small": SMALL,  # 64 x 64 pixels and half the channels: a minute on two cores.
    "multiloss": MULTILOSS,
    "small_multiloss": SMALL | MULTILOSS,
}
