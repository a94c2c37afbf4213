"""CVAE-GAN on images brought to one size.

python -m launch.train --detector cvae_gan --preset small
python -m launch.train --detector cvae_gan --preset small --dataset mvtec --data FOLDER
python -m launch.train --detector cvae_gan --preset paper --dataset rsdds --data FOLDER
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = base.whole_images("cvae_gan", preset)
    config.train.update(steps=20000, batch=32, log_every=50, save_every=500)
    base.at_size(config, 256)  # pixels a side
    config.settings.width = 64  # channels of the autoencoder's outermost maps, doubling inwards
    config.settings.critic_width = 64  # and of the critic's
    config.settings.cap = 512  # channels at most
    config.settings.latent = 100  # length of z
    config.settings.critic_steps = 4  # updates of the critic in a step, each on its share of the batch
    config.settings.negatives = False  # active negatives: images decoded from noise get a high divergence
    config.settings.l1 = 50.0  # weight of the mean absolute error of pixels in [0, 1]
    config.settings.ssim = 10.0  # of 1 - SSIM
    config.settings.divergence = 0.001  # of KL(z | N(0, 1)), summed over z
    config.settings.adversarial = 1.0  # of the critic's value
    config.settings.matching = 1.0  # of the mean squared difference of the critic's features
    config.settings.penalty = 10.0  # of the critic's gradient, in its own loss
    config.settings.negative = 0.001  # of what drawn images lack of `margin`; where negatives is set
    config.settings.margin = 200.0  # divergence that drawn images should have, nats; where negatives is set
    config.settings.feature = 0.1  # of the feature distance in the score
    config.settings.learning_rate = 1e-4
    config.settings.box = 5  # side of the mean filter over the residual, pixels
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """256 x 256 pixels, as MAA compares it; the networks and weights are our reading."""
    del config


def small(config: ConfigDict) -> None:
    """64 x 64 pixels and a quarter of the channels: a minute on two cores."""
    base.for_two_cores(config)
    config.settings.update(width=16, critic_width=16, latent=64, critic_steps=2, learning_rate=5e-4)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    base.for_tests(config, 16)
    config.settings.update(width=4, critic_width=4, latent=4, critic_steps=2, learning_rate=2e-3, box=3)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
