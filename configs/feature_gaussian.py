"""One Gaussian over what a frozen backbone sees anywhere in normal images: the yardstick for textures.

python -m launch.train --detector feature_gaussian --preset small settings.weights=squeezenet.h5
python -m launch.train --detector feature_gaussian --preset small --dataset nanotwice --data FOLDER \\
    settings.weights=squeezenet.h5
python -m launch.train --detector feature_gaussian --preset paper settings.weights=resnet18.pth

Nothing is trained: the normal images are looked at once. Without a file of weights the backbone is a random one.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = frozen("feature_gaussian", preset)
    config.settings.size = 0  # pixels a side that the backbone looks at; 0 for the image's own size
    config.settings.margin = 32  # pixels mirrored around it: zeros beyond the border would look like a defect
    config.settings.channels = 0  # random directions that features are projected on; 0 keeps all features
    config.settings.smoothing = 4  # standard deviation of the Gaussian filter over the map, pixels
    PRESETS[preset](config)
    return config


def frozen(detector: str, preset: str) -> ConfigDict:
    """Where detectors start that train nothing and see images with a frozen backbone."""
    config = base.untrained(detector, preset)
    config.settings.backbone = "squeezenet"  # one of jaxdefect/backbones
    config.settings.backbone_width = 16  # channels of the first map of the backbone `small`
    config.settings.weights = ""  # a file of its weights; empty for random ones
    config.settings.stages = (0, 1)  # maps that are joined, 0 the finest; the first one gives the cells
    return config


def for_tests(config: ConfigDict) -> None:
    """A random backbone of a few channels, at 64 pixels a side; seconds on one core."""
    config.train.update(batch=16, patch=16)
    config.score.update(tile=64, overlap=16)
    config.settings.update(backbone="small", backbone_width=4)
    config.report.images = 4


def paper(config: ConfigDict) -> None:
    """ResNet-18 (give settings.weights), stages 1 to 3: 448 features in every 4th row and column."""
    config.settings.update(backbone="resnet18", stages=(0, 1, 2), margin=64)


def small(config: ConfigDict) -> None:
    """SqueezeNet (give settings.weights), 384 features."""
    del config


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    for_tests(config)
    config.settings.update(margin=8, smoothing=2)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
