"""DCT, texture removed from the cosine transform, on any folder of images. Nothing is trained: seconds.

python -m launch.train --detector dct
python -m launch.train --detector dct --dataset mvtec --data FOLDER

A threshold on levels is fitted on normal images held out, as for all detectors. The level of a pixel is that of the
whole image, or of its tile where there are many sizes, as for PHOT.
"""

from ml_collections import ConfigDict

from configs import base, phot


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper (our reading), small (the same) and tiny for tests."""
    config = base.untrained("dct", preset)
    config.settings.dominant = 4.0  # coefficients of so many times the root mean square of all are texture
    config.settings.sigma = 3.0  # of the Gaussian over what is left, pixels; 0 for none
    PRESETS[preset](config)
    return config


PRESETS = phot.PRESETS
