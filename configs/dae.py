"""DAE, a deep autoencoder, on images brought to one size; with skip connections or without.

python -m launch.train --detector dae --preset small
python -m launch.train --detector dae --preset small_skip
python -m launch.train --detector dae --preset paper --dataset rsdds --data FOLDER
"""

from configs import base

SETTINGS = {
    "size": 256,  # pixels a side
    "width": 16,  # channels of the first layer; the others follow as in Table I of MAA
    "skip": False,  # skip connections at the three scales: DAE(skip)
    "learning_rate": 1e-4,
    "box": 5,  # side of the mean filter over the squared residual, pixels
}
BASE = base.WHOLE_IMAGES | base.at_size(256) | {
    "train.steps": 10000, "train.batch": 32, "train.save_every": 500,  # As MAA, its rival.
}  # fmt: skip
SMALL = base.TWO_CORES | base.at_size(64) | {"settings.width": 8, "settings.learning_rate": 1e-3}
PRESETS = {
    "paper": {},  # 256 x 256 pixels, batch 32; 0.8 million weights.
    "small": SMALL,  # 64 x 64 pixels and half the channels: minutes on two cores.
    "skip": {"settings.skip": True},  # As paper; 0.9 million weights.
    "small_skip": SMALL | {"settings.skip": True},
}
