"""MAA on images brought to one size.

python -m launch.train --detector maa --preset small
python -m launch.train --detector maa --preset small --dataset mvtec --data FOLDER
python -m launch.train --detector maa --preset paper --dataset rsdds --data FOLDER
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = base.whole_images("maa", preset)
    config.train.update(steps=10000, batch=32, pairs=True, log_every=50, save_every=500)
    base.at_size(config, 256)  # pixels a side
    config.settings.width = 16  # channels of the generator's first layer; the others follow as in Table I
    config.settings.critic_width = 64  # channels of the discriminator's first layer
    config.settings.blocks = 3  # residual blocks before and after the memory
    config.settings.remember = True  # the ConvLSTM memory; without, an adversarial autoencoder
    config.settings.feature_loss = True  # L1 of the discriminator's features (Eq. 8), else of pixels
    config.settings.adversarial = 1.0  # lambda, weight of the adversarial loss (Eq. 10)
    config.settings.learning_rate = 1e-4  # "10e-5"
    config.settings.critic_rate = 1e-4  # learning rate of the discriminator
    config.settings.tap = "features"  # of the image score: features [positions, channels], or patch30 (literal)
    config.settings.distance = "fmd"  # fmd, markov_l1 or l1 (Table III)
    config.settings.window = 11  # of the local variance that locates defects, pixels
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """Table I: 256 x 256 pixels, batch 32; 12.6 and 2.8 million weights."""
    del config


def small(config: ConfigDict) -> None:
    """64 x 64 pixels and half of the channels: minutes on two cores.

    The discriminator learns ten times slower than the generator, or it has won after 60 of so few steps.
    """
    base.for_two_cores(config)
    config.settings.update(width=8, critic_width=32, learning_rate=1e-3, critic_rate=1e-4)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    base.for_tests(config, 32)
    config.settings.update(width=2, critic_width=4, blocks=1, learning_rate=2e-3, window=5, critic_rate=2e-3)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
