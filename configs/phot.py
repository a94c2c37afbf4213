"""PHOT, the phase-only transform, on any folder of images. Nothing is trained: seconds.

python -m launch.train --detector phot
python -m launch.train --detector phot --dataset mvtec --data FOLDER

The paper takes a level of 4 for a defect in every image; here a threshold on levels is fitted on normal images held
out, as for all detectors. The level of a pixel is that of the whole image, or of its tile where images have many
sizes (score.mode=whole compiles once for each).
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small (the same) and tiny for tests."""
    config = base.untrained("phot", preset)
    config.settings.epsilon = 1e-8  # added to each magnitude before dividing by it
    config.settings.sigma = 3.0  # of the Gaussian, pixels
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """As published."""
    del config


def small(config: ConfigDict) -> None:
    """The same: it takes milliseconds an image anywhere."""
    del config


def tiny(config: ConfigDict) -> None:
    """Small images on one core; for tests."""
    config.train.update(batch=16, patch=16, log_every=5, save_every=10)
    config.report.images = 4


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
