"""PaDiM: a Gaussian at each place of an image over what a frozen backbone sees there, for parts that lie alike.

python -m launch.train --detector padim --preset small settings.weights=squeezenet.h5
python -m launch.train --detector padim --preset small --dataset mvtec --data FOLDER settings.weights=squeezenet.h5
python -m launch.train --detector padim --preset paper --dataset mvtec --data FOLDER settings.weights=resnet18.pth

Nothing is trained: the normal images are looked at once. With fewer of them than `channels` the ridge decides.
"""

from ml_collections import ConfigDict

from configs import feature_gaussian


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = feature_gaussian.frozen("padim", preset)
    config.settings.size = 224  # pixels a side that all images are brought to
    config.settings.margin = 0  # pixels mirrored around them; every place has its own Gaussian, at the border, too
    config.settings.channels = 100  # of the joined maps, drawn at random
    config.settings.ridge = 0.01  # added to every variance, in units of a channel's average variance
    config.settings.smoothing = 4  # standard deviation of the Gaussian filter over the map, pixels
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """ResNet-18 (give settings.weights), 100 channels of stages 1 to 3 at 56 x 56 cells: 250 MB of state."""
    config.settings.update(backbone="resnet18", stages=(0, 1, 2))


def small(config: ConfigDict) -> None:
    """SqueezeNet (give settings.weights), 100 channels of all its maps at 29 x 29 cells: 67 MB of state."""
    config.settings.update(stages=(1, 0, 2))


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    feature_gaussian.for_tests(config)
    config.settings.update(size=64, channels=6, smoothing=2)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
