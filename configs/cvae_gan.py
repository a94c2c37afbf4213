"""CVAE-GAN on images brought to one size.

python -m launch.train --detector cvae_gan --preset small
python -m launch.train --detector cvae_gan --preset paper --dataset rsdds --data FOLDER
"""

from configs import base

SETTINGS = {
    "size": 256,  # pixels a side
    "width": 64,  # channels of the autoencoder's outermost maps, doubling inwards
    "critic_width": 64,  # and of the critic's
    "cap": 512,  # channels at most
    "latent": 100,  # length of z
    "critic_steps": 4,  # updates of the critic in a step, each on its share of the batch
    "negatives": False,  # active negatives: images decoded from noise get a high divergence
    "l1": 50.0,  # weight of the mean absolute error of pixels in [0, 1]
    "ssim": 10.0,  # of 1 - SSIM
    "divergence": 0.001,  # of KL(z | N(0, 1)), summed over z
    "adversarial": 1.0,  # of the critic's value
    "matching": 1.0,  # of the mean squared difference of the critic's features
    "penalty": 10.0,  # of the critic's gradient, in its own loss
    "negative": 0.001,  # with negatives: weight of what drawn images lack of `margin`
    "margin": 200.0,  # with negatives: divergence that drawn images should have, nats
    "feature": 0.1,  # of the feature distance in the score
    "learning_rate": 1e-4,
    "box": 5,  # side of the mean filter over the residual, pixels
}
BASE = base.WHOLE_IMAGES | base.at_size(256) | {"train.steps": 20000, "train.batch": 32, "train.save_every": 500}
PRESETS = {
    "paper": {},  # 256 x 256 pixels, as MAA compares it; the networks and weights are our reading.
    # 64 x 64 pixels and a quarter of the channels: a minute on two cores.
    "small": base.TWO_CORES | base.at_size(64) | {
        "settings.width": 16, "settings.critic_width": 16, "settings.latent": 64, "settings.critic_steps": 2,
        "settings.learning_rate": 5e-4,
    },
}  # fmt: skip
