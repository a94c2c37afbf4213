"""FAE, a filtering autoencoder: flaws made to order go, normal detail and Gaussian noise stay.

python -m launch.train --detector fae --preset small
python -m launch.train --detector fae --preset paper --dataset mvtec --data FOLDER

Published on MVTec AD: image AUROC .999, pixel AUROC .994, by one group and without code.
"""

from configs import base

SETTINGS = {
    "widths": (64, 128, 256, 512, 512),  # channels at each scale, the finest first
    "skip": True,  # the decoder sees the encoder's features of its scale
    "learning_rate": 1e-4,
    "residual": "squared",  # error of a pixel: squared or absolute
    "box": 11,  # side of the mean filter over it, pixels; 1 for none
}
BASE = {
    "train.corrupt": ("stain", "perlin", "line"), "train.corrupt_noise": 0.05, "train.batch": 16, "train.patch": 256,
    "train.steps": 20000, "train.save_every": 1000,
}  # fmt: skip
PRESETS = {
    # 256 x 256 pixels, RGB; every number is ours.
    "paper": {"data.size": 256, "data.channels": 3},
    # Patches of 64 x 64 pixels, a quarter of the channels: minutes on two cores.
    "small": base.TWO_CORES | {
        "train.patch": 64, "train.steps": 1500, "train.log_every": 50, "train.save_every": 250,
        "settings.widths": (16, 32, 64), "settings.learning_rate": 1e-3, "settings.box": 5,
    },
}  # fmt: skip
