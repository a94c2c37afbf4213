"""ALOCC, the adversarially learned one-class classifier, on images brought to one size.

python -m launch.train --detector alocc --preset small
python -m launch.train --detector alocc --preset paper --dataset rsdds --data FOLDER
"""

from configs import base

SETTINGS = {
    "size": 64,  # pixels a side; a multiple of 2^levels
    "width": 64,  # channels of the first map of R, doubling inwards
    "critic_width": 64,  # channels of the first map of D, doubling inwards
    "levels": 4,  # how often both halve an image
    "noise": 0.155,  # standard deviation of the noise to be taken out, of pixels in [-1, 1]
    "reconstruction": 0.4,  # lambda, weight of the squared error, mean over pixels
    "critic_balance": (),  # what keeps the discriminator from winning; see jaxdefect/losses/balance.py
    "r1": 1.0,  # weight of the slope at real images, where critic_balance has r1
    "learning_rate": 2e-4,
    "box": 5,  # side of the mean filter over the residual, pixels
}
BASE = base.WHOLE_IMAGES | base.at_size(64) | {
    "train.steps": 10000, "train.batch": 64, "train.save_every": 500,
    "train.restore": "best",  # The paper stops on a low reconstruction error.
}  # fmt: skip
PRESETS = {
    "paper": {},  # 64 x 64 pixels, batch 64.
    # A quarter of the channels, an eighth in the discriminator: a minute on two cores.
    "small": base.TWO_CORES
    | {"train.save_every": 100, "settings.width": 16, "settings.critic_width": 8, "settings.learning_rate": 1e-3},
}
