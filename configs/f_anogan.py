"""f-AnoGAN on images brought to one size.

python -m launch.train --detector f_anogan --preset small
python -m launch.train --detector f_anogan --preset small --dataset mvtec --data FOLDER
python -m launch.train --detector f_anogan --preset paper --dataset rsdds --data FOLDER

The loss means something else in each phase: `train.restore` and `train.patience`, which compare it over all steps, stay
at last and 0.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = base.whole_images("f_anogan", preset)
    config.train.update(steps=60000, batch=320, log_every=100, save_every=1000)
    base.at_size(config, 64)  # pixels a side
    config.settings.width = 64  # channels of the widest maps; the others follow
    config.settings.latent = 128  # numbers in z
    config.settings.gan_steps = 10000  # the first phase; the encoder learns in the steps after it
    config.settings.critic_steps = 5  # updates of the critic in each of them, which share train.batch out
    config.settings.penalty = 10.0  # weight of the gradient penalty
    config.settings.kappa = 1.0  # weight of the critic's features beside the pixels
    config.settings.learning_rate = 1e-4  # of generator and critic
    config.settings.encoder_rate = 5e-5
    config.settings.box = 5  # of the filter over the residual map, pixels
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """64 x 64 pixels, 64 for each update of the critic; the steps of the phases are our choice."""
    del config


def small(config: ConfigDict) -> None:
    """A sixteenth of the channels, two updates of the critic: a minute on two cores."""
    config.train.update(steps=500, batch=24, log_every=20, save_every=100)
    config.settings.update(width=4, latent=32, gan_steps=300, critic_steps=2, learning_rate=1e-3, encoder_rate=1e-3)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core, the first phase only; for tests, not for detection."""
    base.for_tests(config, 8)
    config.train.batch = 32
    config.settings.update(width=4, latent=4, gan_steps=40, critic_steps=4, box=3)
    config.settings.update(penalty=1.0, learning_rate=1e-2, encoder_rate=2e-3)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
