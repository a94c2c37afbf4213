"""MemAE, an autoencoder with a memory of normal codes, on images brought to one size.

python -m launch.train --detector memae --preset small
python -m launch.train --detector memae --preset paper --dataset rsdds --data FOLDER
"""

from configs import base

SETTINGS = {
    "size": 256,  # pixels a side
    "width": 16,  # channels of the first layer; the code has 16 times as many
    "items": 2000,  # codes in the memory
    "shrink": 0.0025,  # weights of items up to it are dropped
    "sharpness": 16.0,  # factor of the cosine similarity in the softmax: the root of the code's channels
    "sparsity": 2e-4,  # weight of the entropy of the weights
    "learning_rate": 1e-4,
    "box": 5,  # side of the mean filter over the squared residual, pixels
}
BASE = base.WHOLE_IMAGES | base.at_size(256) | {"train.steps": 10000, "train.batch": 32, "train.save_every": 500}
PRESETS = {
    # Memory and losses of Gong et al., layers of MAA's Table I: 256 x 256 pixels, batch 32; 1.3 million weights.
    "paper": {},
    # 64 x 64 pixels, half the channels and a tenth of the items: minutes on two cores.
    "small": base.TWO_CORES | base.at_size(64) | {
        "settings.width": 8, "settings.items": 200, "settings.shrink": 0.025, "settings.sharpness": 11.0,
        "settings.learning_rate": 1e-3,
    },
}  # fmt: skip
