"""MAA on images brought to one size.

python -m launch.train --detector maa --preset small
python -m launch.train --detector maa --preset paper --dataset rsdds --data FOLDER
"""

from configs import base

SETTINGS = {
    "size": 256,  # pixels a side
    "width": 16,  # channels of the generator's first layer; the others follow as in Table I
    "critic_width": 64,  # channels of the discriminator's first layer
    "blocks": 3,  # residual blocks before and after the memory
    "memory": True,  # the ConvLSTM memory; without, an adversarial autoencoder
    "cell_clip": 0,  # the most a number of the memory's cell may be; 0 for no bound
    "feature_loss": True,  # L1 of the discriminator's features (Eq. 8), else of pixels
    "adversarial": 1.0,  # lambda, weight of the adversarial loss (Eq. 10)
    "critic_balance": (),  # what keeps the discriminator from winning; see jaxdefect/losses/balance.py
    "r1": 1.0,  # weight of the slope at real images, where critic_balance has r1
    "learning_rate": 1e-4,  # "10e-5"
    "critic_rate": 1e-4,  # learning rate of the discriminator
    "tap": "features",  # of the image score: features [positions, channels], or patch30 (literal)
    "distance": "fmd",  # fmd, markov_l1 or l1 (Table III)
    "window": 11,  # of the local variance that locates defects, pixels
}
BASE = base.WHOLE_IMAGES | base.at_size(256) | {
    "train.steps": 10000, "train.batch": 32, "train.paired_images": True, "train.save_every": 500,
}  # fmt: skip
PRESETS = {
    "paper": {},  # Table I: 256 x 256 pixels, batch 32; 12.6 and 2.8 million weights.
    # 64 x 64 pixels and half of the channels: minutes on two cores. The discriminator learns ten times slower than the
    # generator, or it has won after 60 of so few steps.
    "small": base.TWO_CORES | base.at_size(64) | {
        "settings.width": 8, "settings.critic_width": 32, "settings.learning_rate": 1e-3, "settings.critic_rate": 1e-4,
    },
}  # fmt: skip
