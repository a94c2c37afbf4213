"""PatchCore: an image's places are compared with a few, well spread ones of normal images.

python -m launch.train --detector patchcore --preset small settings.weights=squeezenet.h5
python -m launch.train --detector patchcore --preset small --dataset mvtec --data FOLDER settings.weights=squeezenet.h5
python -m launch.train --detector patchcore --preset paper --dataset mvtec --data FOLDER settings.weights=resnet50.pth

Nothing is trained: the normal images are looked at once.
"""

from ml_collections import ConfigDict

from configs import feature_gaussian


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = feature_gaussian.frozen("patchcore", preset)
    config.settings.size = 224  # pixels a side that the backbone looks at; 0 for the image's own size
    config.settings.margin = 0  # pixels mirrored around it
    config.settings.bank = 30000  # cells sampled from all normal images
    config.settings.coreset = 3000  # of them that are kept
    config.settings.projection_size = 128  # random directions in which those are chosen; 0 for the features themselves
    config.settings.neighbours = 9  # b, cells around the nearest one that weigh an image's score; 0 for none
    config.settings.smoothing = 4  # standard deviation of the Gaussian filter over the map, pixels
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """ResNet-50 (give settings.weights), stages 2 and 3 at 28 x 28 cells; the paper has its wide form.

    A tenth of 30 000 cells, 200 MB of state. Published for MVTec: image AUROC 99.1 %, pixel AUROC 98.1 %.
    """
    config.settings.update(backbone="resnet50", stages=(1, 2))


def small(config: ConfigDict) -> None:
    """SqueezeNet (give settings.weights), 1000 of 10 000 cells."""
    config.settings.update(stages=(0, 1), bank=10000, coreset=1000, projection_size=64)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    feature_gaussian.for_tests(config)
    config.settings.update(size=64, bank=200, coreset=20, projection_size=4, neighbours=3, smoothing=2)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
