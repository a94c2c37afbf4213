"""MSCDAE, denoising autoencoders of patches at three scales, on any folder of images.

python -m launch.train --detector mscdae --preset small
python -m launch.train --detector mscdae --preset small --dataset mvtec --data FOLDER

The papers take a level of 2 for a defect (mean and two deviations of normal residuals); here a threshold on levels is
fitted on normal images held out, as for all detectors.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = base.get_config()
    config.detector, config.preset = "mscdae", preset
    config.train.update(steps=2000, batch=64, patch=64)  # The smallest level of 64 pixels is 16.
    config.settings = ConfigDict()
    config.settings.levels = 3  # of the Gaussian pyramid
    config.settings.widths = (16, 32, 64)  # channels of the encoder
    config.settings.patches = 8  # of 8 x 8 pixels, drawn from each training image at each level
    config.settings.noise = 0.1  # share of a training patch's pixels replaced by salt and pepper
    config.settings.penalty = 0.001  # of the Frobenius norm of all kernels
    config.settings.learning_rate = 1e-3
    config.settings.stride = 1  # pixels between the patches that are scored; each doubling takes a quarter of the time
    config.settings.opening = 1  # side of the square a defect must contain, pixels; 1 for any
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """Three levels, every patch scored."""
    del config


def small(config: ConfigDict) -> None:
    """Every fourth patch down and across: a sixteenth of the time."""
    config.train.update(steps=600, save_every=200)
    config.settings.stride = 4


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    config.train.update(steps=20, batch=16, patch=32, log_every=5, save_every=10)
    config.score.update(tile=64, overlap=16)
    config.settings.update(widths=(4, 6, 8), patches=2, learning_rate=1e-2, stride=4, opening=3)
    config.report.images = 4


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
