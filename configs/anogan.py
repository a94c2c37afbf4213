"""AnoGAN on images brought to one size.

python -m launch.train --detector anogan --preset small
python -m launch.train --detector anogan --preset small --dataset mvtec --data FOLDER
python -m launch.train --detector anogan --preset paper --dataset rsdds --data FOLDER
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = base.whole_images("anogan", preset)
    config.train.update(steps=20000, batch=64, log_every=100, save_every=1000)
    base.at_size(config, 64)  # pixels a side
    config.settings.width = 64  # channels of the generator's outermost map; they double inwards
    config.settings.critic_width = 64  # of the discriminator's
    config.settings.latent = 200  # numbers in z
    config.settings.learning_rate = 2e-4  # DCGAN's
    config.settings.feature = 0.1  # lambda, weight of the discriminator's features beside the pixels
    config.settings.search_steps = 500  # for each image; scoring takes as long as so many training steps
    config.settings.search_rate = 0.01  # a tenth of it after 40 % of the steps, a twentieth after 60 %
    config.settings.box = 5  # of the filter over the residual map, pixels
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """64 x 64 pixels, DCGAN's widths; the number of training steps is our choice."""
    del config


def small(config: ConfigDict) -> None:
    """An eighth of the channels and a fifth of the search: a minute on two cores."""
    config.train.update(steps=400, batch=32, log_every=20, save_every=200)
    config.settings.update(width=8, critic_width=8, latent=32, learning_rate=1e-3, search_steps=100, search_rate=0.05)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    base.for_tests(config, 16)
    config.settings.update(width=4, critic_width=4, latent=4, learning_rate=2e-3)
    config.settings.update(search_steps=10, search_rate=0.1, box=3)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
