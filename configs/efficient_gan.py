"""Efficient-GAN on images brought to one size.

python -m launch.train --detector efficient_gan --preset small
python -m launch.train --detector efficient_gan --preset paper --dataset rsdds --data FOLDER data.size=64 \\
    train.patch=64 settings.size=64
"""

from configs import base

SETTINGS = {
    "size": 28,  # pixels a side; fully connected layers grow with its square
    "width": 64,  # channels of the convolutions; the encoder's go from half to twice that
    "hidden": 1024,  # of the fully connected layers
    "latent": 200,  # length of z
    "dropout": 0.5,  # probability, in the discriminator
    "decay": 0.999,  # of the moving averages that score, per step
    "feature": 0.1,  # weight of the discriminator's features in the score; pixels have the rest
    "critic_balance": (),  # what keeps the discriminator from winning; see jaxdefect/losses/balance.py
    "r1": 1.0,  # weight of the slope at real images, where critic_balance has r1
    "learning_rate": 1e-5,
    "box": 5,  # side of the mean filter over the residual, pixels
}
BASE = base.WHOLE_IMAGES | base.at_size(28) | {
    "train.steps": 50000, "train.batch": 100, "train.log_every": 100, "train.save_every": 1000,
}  # fmt: skip
PRESETS = {
    "paper": {},  # The network for MNIST: 28 x 28 pixels, batch 100.
    # 64 x 64 pixels and fewer channels: a minute on two cores.
    "small": base.TWO_CORES | base.at_size(64) | {
        "train.batch": 32, "settings.width": 16, "settings.hidden": 128, "settings.latent": 64, "settings.decay": 0.98,
        "settings.learning_rate": 3e-4,
    },
}  # fmt: skip
